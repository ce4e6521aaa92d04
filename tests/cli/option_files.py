"""Files that options name: certificates, passwords and a token."""

from collections.abc import Mapping
from pathlib import Path

import trustme

TOKEN = "a-token-of-24-characters"
PASSWORD = "hunter22"


def written_to(directory: Path) -> Mapping[str, str]:
    """Write the files, and return the path of each by its name in capital letters, which stands for the path in tables
    of command lines."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    own = authority.issue_cert("localhost")
    own.cert_chain_pems[0].write_to_path(str(directory / "cert.pem"))
    own.private_key_pem.write_to_path(str(directory / "key.pem"))
    own.private_key_and_cert_chain_pem.write_to_path(str(directory / "both.pem"))
    (directory / "password").write_text(f"{PASSWORD}\n")
    (directory / "cookie").write_text("__cookie__:0123abcd")
    (directory / "token").write_text(f"{TOKEN}\n")
    (directory / "miner.toml").write_text('url = "filed:1"\nuser = "worker"\n')
    (directory / "rules.toml").write_text('[[rule]]\naction = "drop"\nmethod = "mining.ping"\n')
    (directory / "run.jsonl").write_text(
        '{"kind":"capture","format":1}\n'
        '{"kind":"line","t":0,"conn":1,"from":"miner",'
        '"text":"{\\"id\\":1,\\"method\\":\\"mining.authorize\\",\\"params\\":[\\"old\\",\\"older\\"]}"}\n'
    )
    return {path.name.upper(): str(path) for path in directory.iterdir()}
