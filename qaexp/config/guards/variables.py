"""Which variables of the environment a config may set for a run, and where a config reads the environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from omegaconf import OmegaConf

from qaexp.storage.start import start

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Where a family has harmless members too, its dangerous ones are among the endings below.
_FAMILIES = (
    # of qaexp and of what it is made of: what may be named, which files are found, whether pickles are opened
    "QAEXP_", "HYDRA_", "PYTHON", "TORCH", "TRITON_", "DNNL_", "ONEDNN_", "KINETO_", "LOKY_", "JOBLIB_",
    "SUBMITIT_", "MPL", "MATPLOTLIB", "SLURM", "SBATCH_", "SRUN_", "PMI", "OMPI_",
    # of loaders, shells and other programs: which code runs
    "LD_", "DYLD_", "GLIBC_", "GCONV_", "MALLOC_", "BASH", "GIT_", "SSH_", "SUDO_", "PERL", "RUBY", "LUA_", "NODE_",
    "NPM_", "JAVA_", "_JAVA", "JDK_", "PIP_", "UV_", "CONDA_", "VIRTUAL_ENV", "OMP_TOOL", "GNUPG", "GPG_",
    # of connections: where data and secrets go
    "SSL", "OPENSSL_", "CURL_", "REQUESTS_", "GNUTLS_", "KRB5", "XDG_", "DBUS_",
)  # fmt: skip
_EXACT = frozenset(
    {
        "PATH", "PATHEXT", "HOME", "USER", "LOGNAME", "SHELL", "SHELLOPTS", "ENV", "IFS", "PS4", "TMP", "TEMP", "PWD",
        "OLDPWD", "EDITOR", "VISUAL", "PAGER", "LESS", "LESSOPEN", "LESSCLOSE", "BROWSER", "CC", "CXX", "CPP", "NVCC",
        "CFLAGS", "CXXFLAGS", "LDFLAGS", "MAKEFLAGS", "NETRC", "KUBECONFIG", "USERPROFILE", "APPDATA", "LOCALAPPDATA",
        "COMSPEC", "SYSTEMROOT", "RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE",
        "MASTER_ADDR", "MASTER_PORT", "HOSTALIASES", "RES_OPTIONS", "LOCALDOMAIN",
    }
)  # fmt: skip
# Endings of names that mean a place, a program or trust, whichever library reads them.
_ENDING = re.compile(
    r"(PATH|HOME|DIR|RC|OUT|OUTPUT|TRACE|DUMP|LOG)$|ASKPASS|TRUST|PRELOAD|(^|_)(URL|URI|ENDPOINT|PROXY)(_|$)|"
    r"(^|_)(FILE|FILES|FILENAME|FILENAMES|FOLDER|ROOT|CACHE|HOST|HOSTS|SERVER|ADDR|ADDRESS|BASE|CONFIG|CONF|"
    r"CREDENTIALS|COMMAND|CMD|BIN|BINARY|EXECUTABLE|EXE|PROGRAM|SCRIPT|MODULE|MODULES|PLUGIN|PLUGINS|LIB|LIBRARY|"
    r"LIBRARIES|BUNDLE|CERT|CERTS|CA|OPTIONS|OPTS|STARTUP|HOOK|HOOKS|BACKEND|BACKENDS)$"
)
# Names of the endings above that hold numbers, and that people set.
_HARMLESS = frozenset({"TORCH_LOGS", "CUBLAS_WORKSPACE_CONFIG", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"})
_READ = re.compile(r"oc\.env\s*:\s*['\"]?(\w+)")


def is_refused_name(name: str) -> bool:
    """Say whether a variable decides which code runs, where data and secrets go, or what qaexp may do.

    Names are looked at in capital letters: those of proxies are read in either spelling.

    >>> [is_refused_name(name) for name in ("WANDB_PROJECT", "OMP_NUM_THREADS", "PATH", "https_proxy", "HF_HOME")]
    [False, False, True, True, True]
    """
    upper = name.upper()
    if upper in _HARMLESS:
        return False
    return upper in _EXACT or upper.startswith(_FAMILIES) or _ENDING.search(upper) is not None


def refused_variables(env_set: object, texts: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """Name the entries of `hydra.job.env_set` that no config may set.

    Args:
        env_set: The node, unresolved.
        texts: Dotted key and value of all that the whole config holds, unresolved.

    Yields:
        One sentence an entry.
    """
    if not isinstance(env_set, Mapping):
        if env_set is not None:
            yield f"hydra.job.env_set={env_set} is refused: its names must be written out; write NAME: value lines"
        return
    read = {
        name
        for key, value in texts
        if isinstance(value, str) and not key.startswith("hydra.job.env_set.")
        for name in _READ.findall(value)
    }
    for name in map(str, env_set):
        if not _NAME.fullmatch(name):
            yield f"hydra.job.env_set: {name!r} is refused: it must be letters, digits and _; leave it out"
        elif is_refused_name(name):
            yield (
                f"hydra.job.env_set.{name} is refused: it may decide which code runs, where data and secrets go, or "
                "what qaexp may do; set it in the environment of the command"
            )
        elif name in read:
            yield (
                f"hydra.job.env_set.{name} is refused: the config also reads it by ${{oc.env:{name}}}, which gives "
                "what the command was started with; set it in the environment of the command"
            )


def register_variables() -> None:
    """Let `${oc.env:NAME}` give what the process was started with, whatever a launcher has set since."""
    OmegaConf.register_new_resolver("oc.env", _variable, replace=True)


_NO_DEFAULT: Any = object()


def _variable(name: str, default: Any = _NO_DEFAULT) -> str | None:
    """As OmegaConf's own resolver, which reads the environment as it is."""
    environ = start().environ
    if name in environ:
        return environ[name]
    if default is _NO_DEFAULT:
        raise KeyError(f"Environment variable '{name}' not found")
    return None if default is None else str(default)
