"""Encrypts two fields of each record on stdin as examples of Vault's Transit engine do: one call a field.

Usage: peer.py MOUNT KEY      VAULT_ADDR, VAULT_TOKEN, VAULT_CACERT
"""
import base64
import json
import os
import sys

import hvac

FIELDS = ("Address", "credit_card")


def main():
    mount, key = sys.argv[1:]
    client = hvac.Client(url=os.environ["VAULT_ADDR"], token=os.environ["VAULT_TOKEN"], verify=os.environ["VAULT_CACERT"])
    for line in sys.stdin:
        record = json.loads(line)
        for field in FIELDS:
            answer = client.secrets.transit.encrypt_data(
                name=key, plaintext=base64.b64encode(record[field].encode()).decode(), mount_point=mount)
            record[field] = answer["data"]["ciphertext"]
        print(json.dumps(record))


main()
