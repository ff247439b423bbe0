#!/usr/bin/env python3
"""Answers whoever writes "echo ..." with the same words, and likes what it is thanked for.

    trefoil bot --may read,write -- python3 docs/bots/echo.py

It needs nothing but Python. What else there is to ask: docs/openapi.json, docs/agent.md.
"""

import json
import os
import sys
import urllib.error
import urllib.request

API, TOKEN = os.environ["TREFOIL_API"], os.environ["TREFOIL_TOKEN"]


def request(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    return urllib.request.Request(API + path, data=data, headers=headers)


def ask(verb, **fields):
    """Asks once; what it came to. What is refused is said, and no reason to end."""
    try:
        with urllib.request.urlopen(request(f"/v1/{verb}", fields), timeout=60) as answer:
            return json.load(answer)["done"]
    except urllib.error.HTTPError as refused:
        print(json.load(refused)["error"]["message"], file=sys.stderr)
        return None


def messages():
    """What others write, as it comes."""
    with urllib.request.urlopen(request("/v1/messages"), timeout=60) as stream:
        print("Listening.", flush=True)
        for line in stream:
            if line.strip():
                yield json.loads(line)


def main():
    answered = set()
    for message in messages():
        # a message comes once more when it changes
        if message["message"] in answered or message["deleted"]:
            continue
        answered.add(message["message"])
        verb, _, words = message["text"].partition(" ")
        if verb == "echo" and words:
            ask("reply", message=message["message"], text=words, wait_s=10)
        elif verb == "thanks":
            ask("react", message=message["message"], reaction="\u2764", remove=False, wait_s=10)


main()
