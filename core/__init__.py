"""The core: everything that runs without ComfyUI, torch or a GPU.

Import the module that holds what you need (`from .core.records import Download`): this file imports nothing, so
that the command line and ComfyUI's start pay only for what they use.
"""
