"""Certificates of a test, made by openssl in the current folder: NAME.pem, and NAME-key.pem."""

import subprocess

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdin=subprocess.DEVNULL, capture_output=True)


def authority(name):
    openssl(
        "req", "-x509", *CURVE, "-nodes", "-days", "2", "-subj", f"/CN=outbox {name}", "-keyout", f"{name}-key.pem", "-out", f"{name}.pem")


def certificate(name, authority, password=None):
    """Of a host or a client by that name, its key with a password if there is one."""
    with open(f"{name}.extensions", "w", encoding="utf-8") as file:
        file.write(f"subjectAltName = DNS:{name}")
    secrecy = ["-passout", f"pass:{password}"] if password else ["-nodes"]
    openssl("req", *CURVE, *secrecy, "-subj", f"/CN={name}", "-keyout", f"{name}-key.pem", "-out", f"{name}.csr")
    openssl(
        "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}-key.pem", "-CAcreateserial", "-days", "2",
        "-extfile", f"{name}.extensions", "-out", f"{name}.pem")
