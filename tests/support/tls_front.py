#!/usr/bin/env python3
"""A TLS door before a plain server: tls_front.py FOLDER CERTIFICATE BACKEND_PORT [--clients] [--tls 1.1|1.2|1.3]

FOLDER is what make-certs filled, CERTIFICATE a name in it. Prints its port, then carries bytes until its stdin ends.
--clients: a certificate of the CA is asked of each client. --tls: this version alone. It speaks HTTP/1.1 alone (ALPN).
"""
import argparse
import socket
import ssl
import sys
import threading


def context(args):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(f"{args.folder}/{args.certificate}.pem", f"{args.folder}/{args.certificate}.key")
    made.set_alpn_protocols(["http/1.1"])
    if args.clients:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(f"{args.folder}/ca.pem")
    if args.tls:
        if args.tls == "1.1":
            made.set_ciphers("ALL:@SECLEVEL=0")
        made.minimum_version = made.maximum_version = getattr(ssl.TLSVersion, "TLSv" + args.tls.replace(".", "_"))
    return made


def pour(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for side in (source, sink):
        try:
            side.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(raw, tls, backend):
    front = tls.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
    try:
        front.do_handshake()
        back = socket.create_connection(("127.0.0.1", backend))
    except OSError:
        # Closing with bytes unread would take the alert away from the client.
        raw = socket.socket(fileno=front.detach())
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(65536):
            pass
        raw.close()
        return
    threading.Thread(target=pour, args=(back, front), daemon=True).start()
    pour(front, back)


def accept(listener, tls, backend):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0], tls, backend), daemon=True).start()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("certificate")
    parser.add_argument("backend", type=int)
    parser.add_argument("--clients", action="store_true")
    parser.add_argument("--tls")
    args = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, args=(listener, context(args), args.backend), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
