"""What workers do, one file per kind of job: `run(job_id, task, worker)` does it and says how it ended."""
