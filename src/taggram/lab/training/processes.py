"""The processes of a distributed run, as torchrun starts them; one process is the common case."""

import os

import numpy as np
import torch
from numpy.typing import NDArray
from torch import distributed, nn


def join_processes() -> None:
    """Join the other processes if torchrun started this one; each of a machine takes a GPU of its own."""
    if "RANK" not in os.environ or not distributed.is_available() or distributed.is_initialized():
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def process_share() -> tuple[int, int]:
    """Return (rank, number of processes) of a distributed run; (0, 1) of any other."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def wait_for_all() -> None:
    """Wait until every process is here."""
    if process_share()[1] > 1:
        distributed.barrier()


def share_buffers(model: nn.Module) -> None:
    """Give every process the buffers of the first: each has gathered batch statistics from its own part."""
    if process_share()[1] > 1:
        for buffer in model.buffers():
            distributed.broadcast(buffer, 0)


def gather_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put together the rows of all processes, each of which has every n-th, beginning at its rank."""
    n_processes = process_share()[1]
    if n_processes == 1:
        return rows
    parts: list[NDArray[np.float32]] = [rows] * n_processes
    distributed.all_gather_object(parts, rows)
    gathered = np.empty((sum(map(len, parts)), *rows.shape[1:]), rows.dtype)
    for rank, part in enumerate(parts):
        gathered[rank::n_processes] = part
    return gathered
