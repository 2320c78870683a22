"""The processes of a distributed run, as torchrun starts them; one process is the common case."""

import os

import torch
from torch import distributed


def join_processes() -> None:
    """Join the other processes if torchrun started this one."""
    if "RANK" in os.environ and distributed.is_available() and not distributed.is_initialized():
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
