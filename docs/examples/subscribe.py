#!/usr/bin/env python3
"""Prints the results of streams as they come, one JSON object a line; needs a sink of kind zmq (docs/protocol.md).

    subscribe.py tcp://head:7402 [STREAM…]
"""
import json
import sys

import zmq

results = zmq.Context.instance().socket(zmq.SUB)
results.connect(sys.argv[1])
for stream in sys.argv[2:] or [""]:  # a prefix of the topic; "" is all of them
    results.setsockopt_string(zmq.SUBSCRIBE, stream)
while True:
    topic, body = results.recv_multipart()
    result = json.loads(body)
    print(json.dumps(result), flush=True)
