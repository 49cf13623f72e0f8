"""Samples of the machine: GPUs, processor, memory, disks, network; taken only while somebody holds a lease."""
