"""An exported folder goes to the hub in one commit; each refusal is one sentence, in which no token ever stands."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from qaexp.errors import ConfigError, QaexpError, StorageError
from qaexp.storage import hub
from qaexp.storage.redact import Redactor

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_MAX_NAME = 96
_MAX_CHARS = 300
_LOGIN = "run `hf auth login`, or set HF_TOKEN, with a token that may write"


def push(folder: Path, repo: str, *, is_private: bool) -> str:
    """Upload a folder as a model repository, which is made where it is not there yet.

    Files of the repository that the folder does not have stay as they are.

    Args:
        folder: The exported folder.
        repo: The repository, `owner/name`.
        is_private: Whether nobody else may see it.

    Returns:
        The address of the commit.

    Raises:
        ConfigError: It is no name of a repository, there is no token, or a private one is asked for and it is public.
        StorageError: The hub cannot be reached, is switched off, or refuses; the folder stays as it is.
    """
    from huggingface_hub import HfApi, get_token

    check_repo(repo)
    later = f"`hf upload {repo} {shlex.quote(str(folder))}{' --private' * is_private}` uploads the folder later"
    if (reason := hub.why_not_there()) is not None:
        raise StorageError(f"--push {repo}: {reason}; {later}")
    token = get_token()
    if not token:
        raise ConfigError(f"--push {repo}: there is no token for {hub.endpoint()}; {_LOGIN}; {later}")
    try:
        return _pushed(HfApi(endpoint=hub.endpoint(), token=token), folder, repo, is_private=is_private)
    except QaexpError:
        raise
    except Exception as error:  # every transport and server error of the library's changing HTTP stack
        words = Redactor({**os.environ, "HF_TOKEN": token}).text(_refusal(repo, error))
        # Its text may hold what the hub was sent.
        raise StorageError(f"--push {repo}: {words}; {later}") from None


def check_repo(repo: str) -> None:
    """Refuse what is no name of a repository, before anything is exported.

    Raises:
        ConfigError: It is none.
    """
    is_legal = _REPO.fullmatch(repo) and len(repo) <= _MAX_NAME and "--" not in repo and ".." not in repo
    if not is_legal or repo.endswith((".git", ".", "-")):
        raise ConfigError(
            f"--push {repo!r:.120} is no name of a repository; give owner/name, in letters, digits, `-`, `_` and `.`, "
            f"of at most {_MAX_NAME} characters, without `--` and `..`"
        )


def _pushed(api: HfApi, folder: Path, repo: str, *, is_private: bool) -> str:
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        is_public = not api.model_info(repo, timeout=hub.ANSWER_SECONDS).private
    except RepositoryNotFoundError:
        # None leaves it to the owner: what an organization makes may be private unless told otherwise.
        api.create_repo(repo, private=is_private or None, exist_ok=True)
        is_public = not is_private
    if is_private and is_public:
        raise ConfigError(
            f"--push {repo}: the repository is there and public, and --private would change nothing; choose another "
            "name, or make it private in its settings on the hub first"
        )
    info = api.upload_folder(repo_id=repo, folder_path=folder, commit_message="Upload of an export by qaexp")
    return str(info.commit_url)


def _refusal(repo: str, error: Exception) -> str:
    """Why the hub did not take it, and the way out."""
    from huggingface_hub.errors import HfHubHTTPError

    status = error.response.status_code if isinstance(error, HfHubHTTPError) and error.response is not None else None
    if status == 401:
        return f"{hub.endpoint()} does not know the token (401); {_LOGIN}"
    if status in (403, 404):
        owner = repo.partition("/")[0]
        return f"{hub.endpoint()} lets this token not write to {owner} ({status}); choose an owner it may write to"
    if isinstance(error, ValueError) and status in (None, 400):
        found = " ".join(str(error).split())[:_MAX_CHARS]
        return f"{hub.endpoint()} refuses the folder ({found}); correct what it names"
    return f"{hub.endpoint()} answered with an error ({hub.first_line(error)[:_MAX_CHARS]}); try again"
