"""SSH signatures of votes, made and verified by OpenSSH's own `ssh-keygen -Y`.

The allowed-signers file says whose key is whose, and from when until when (ssh-keygen(1), ALLOWED SIGNERS).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from wavegate.core.events import VoteCast
from wavegate.core.votes import NAMESPACE, message_of
from wavegate.errors import WavegateError

_SECONDS = 30.0
_SECONDS_FOR_A_PERSON = 300.0
_MOST_SIGNATURE = 64 * 1024


class SshSignatures:
    """Implements the port `Signatures` for one rollout: `allowed` maps a gate to its allowed-signers file."""

    def __init__(self, rollout_id: str, allowed: dict[str, Path]) -> None:
        self._rollout_id = rollout_id
        self._allowed = allowed

    def find_fault(self, vote: VoteCast) -> str:
        """Return why the vote's signature does not hold, "" when it does."""
        allowed = self._allowed.get(vote.gate)
        if allowed is None:
            return f"gate {vote.gate} names no file with allowed signers"
        if not allowed.is_file():
            return f"the file with allowed signers is gone: {allowed.name}"
        with tempfile.TemporaryDirectory(prefix="wavegate-vote-") as folder:
            signature = Path(folder) / "vote.sig"
            signature.write_text(vote.signature, encoding="utf-8")
            found = _run(
                ["-Y", "verify", "-f", str(allowed), "-I", vote.by, "-n", NAMESPACE, "-s", str(signature)],
                message_of(self._rollout_id, vote),
            )
        return "" if found.returncode == 0 else _explain(found, vote)


def _explain(found: subprocess.CompletedProcess[str], vote: VoteCast) -> str:
    """Say in our words what ssh-keygen says on stderr: nothing, where no allowed key matches."""
    told = found.stderr.strip()
    if "key has expired" in told or "not yet valid" in told:
        return f"the key of {vote.by} is not valid now"
    if re.search(r"incorrect signature|namespace does not match", told):
        return "its signature was made for something else, or it was altered since"
    if not told:
        return f"its signature is by no key of {vote.by} among the allowed signers"
    return f"its signature cannot be read: {told.splitlines()[-1].strip()}"


def find_fingerprint(signature: str) -> str:
    """Return the SHA256 fingerprint of the key that a signature says it was made with, "" when unreadable."""
    import base64
    import binascii
    import hashlib
    import struct

    body = "".join(line for line in signature.splitlines() if not line.startswith("-----"))
    try:
        blob = base64.b64decode(body, validate=True)
        length = struct.unpack(">I", blob[10:14])[0]
        key = blob[14 : 14 + length]
    except (binascii.Error, struct.error, ValueError):
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def sign(rollout_id: str, vote: VoteCast, key: Path) -> str:
    """Return the armoured signature; ssh-keygen may ask for a passphrase, or use the agent for a public key.

    Raise WavegateError `not-signed`.
    """
    if not key.is_file():
        raise WavegateError("not-signed", f"there is no key {key}", hint="name a private or public SSH key")
    signed = _run(
        ["-Y", "sign", "-f", str(key), "-n", NAMESPACE], message_of(rollout_id, vote), _SECONDS_FOR_A_PERSON
    )
    if signed.returncode != 0 or "BEGIN SSH SIGNATURE" not in signed.stdout:
        why = (signed.stderr.strip() or "ssh-keygen gave no reason").splitlines()[-1]
        raise WavegateError("not-signed", f"the vote could not be signed with {key}", why=why)
    return signed.stdout


def read_signature(path: Path) -> str:
    """Return the armoured signature in a file; raise WavegateError `not-signed`."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MOST_SIGNATURE)
    except (OSError, UnicodeDecodeError) as error:
        raise WavegateError("not-signed", f"the signature cannot be read: {path}", why=str(error)) from error
    if not text.startswith("-----BEGIN SSH SIGNATURE-----"):
        hint = f"make it with: ssh-keygen -Y sign -n {NAMESPACE} -f KEY FILE"
        raise WavegateError("not-signed", f"{path} holds no SSH signature", hint=hint)
    return text


def find_keygen() -> str:
    """Return the path of ssh-keygen, "" when this machine has none."""
    return shutil.which("ssh-keygen") or ""


def _run(arguments: list[str], text: str, seconds: float = _SECONDS) -> subprocess.CompletedProcess[str]:
    program = find_keygen()
    if not program:
        hint = "install OpenSSH's client (Debian: apt install openssh-client)"
        raise WavegateError("ssh-keygen-missing", "signed votes need ssh-keygen", hint=hint)
    try:
        return subprocess.run(
            [program, *arguments], input=text, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        why = f"it did not end within {seconds:g} s"
        raise WavegateError("not-signed", "ssh-keygen did not answer", why=why) from error
