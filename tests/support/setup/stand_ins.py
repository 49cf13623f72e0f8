"""Stand-ins for torchvision and torchaudio.

ComfyUI imports both at start, and no build of either fits the torch that is installed. What tests and demo run uses
nothing of them, so modules that answer every name with an empty class are enough. The text below becomes the
`sitecustomize.py` of the virtual environment.
"""

from __future__ import annotations

SITECUSTOMIZE = '''"""Answer for torchvision and torchaudio, which have no build for this torch. Generated; see stand_ins.py."""

import importlib.abc
import importlib.machinery
import sys
import types

_NAMES = ("torchvision", "torchaudio")


class _StandIn(types.ModuleType):
    __version__ = "0.0.0"
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        made = type(name, (), {"__module__": self.__name__})
        setattr(self, name, made)
        return made


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] in _NAMES:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        return _StandIn(spec.name)

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, _Finder())
'''
