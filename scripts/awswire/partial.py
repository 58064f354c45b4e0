"""Requests of which a service under load takes some messages and not the others.

Each of these gets a request's body and what sends a body on to the server, hands on only some of the messages, and answers as the service does
that says of the others that they have to come again.
"""

import json
import re
import urllib.parse


def chosen_of(random, entries):
    """Which are taken: never none."""
    chosen = [random.random() < 0.6 for _ in entries]
    if not any(chosen):
        chosen[0] = True
    return chosen


def taken(entries, chosen):
    return [entry for entry, is_chosen in zip(entries, chosen) if is_chosen]


async def send_message_batch(random, body, forward):
    content = json.loads(body)
    entries = content["Entries"]
    chosen = chosen_of(random, entries)
    content["Entries"] = taken(entries, chosen)
    status, headers, answer = await forward(json.dumps(content).encode())
    if status != 200:
        return status, headers, answer
    answer = json.loads(answer)
    failed = answer.setdefault("Failed", [])
    for entry, is_chosen in zip(entries, chosen):
        if not is_chosen:
            code = random.choice(["RequestThrottled", "InternalError"])
            failed.append({"Id": entry["Id"], "Code": code, "Message": "later", "SenderFault": False})
    return 200, headers, json.dumps(answer).encode()


def by_place(member, count, codes):
    """For services that answer each message at its place."""

    async def answer_by_place(random, body, forward):
        content = json.loads(body)
        entries = content[member]
        chosen = chosen_of(random, entries)
        content[member] = taken(entries, chosen)
        status, headers, answer = await forward(json.dumps(content).encode())
        if status != 200:
            return status, headers, answer
        answer = json.loads(answer)
        results = iter(answer[member])
        answer[member] = [
            next(results) if is_chosen else {"ErrorCode": random.choice(codes), "ErrorMessage": "later"} for is_chosen in chosen
        ]
        answer[count] = len([1 for result in answer[member] if "ErrorCode" in result])
        return 200, headers, json.dumps(answer).encode()

    return answer_by_place


async def publish_batch(random, body, forward):
    """A form, whose entries are numbered, and an answer in XML."""
    kept, entries = [], {}
    for name, value in urllib.parse.parse_qsl(body.decode(), keep_blank_values=True):
        entry = re.fullmatch(r"PublishBatchRequestEntries\.member\.(\d+)\.(.*)", name)
        if entry:
            entries.setdefault(int(entry[1]), []).append((entry[2], value))
        else:
            kept.append((name, value))
    entries = [entries[number] for number in sorted(entries)]
    chosen = chosen_of(random, entries)
    for number, entry in enumerate(taken(entries, chosen), 1):
        kept += [(f"PublishBatchRequestEntries.member.{number}.{name}", value) for name, value in entry]
    status, headers, answer = await forward(urllib.parse.urlencode(kept).encode())
    if status != 200:
        return status, headers, answer
    failed = "".join(
        f"<member><Id>{dict(entry)['Id']}</Id><Code>{random.choice(['Throttled', 'InternalError'])}</Code>"
        "<Message>later</Message><SenderFault>false</SenderFault></member>"
        for entry, is_chosen in zip(entries, chosen)
        if not is_chosen
    )
    return 200, headers, answer.replace(b"</Failed>", failed.encode() + b"</Failed>")


# By the operation's name.
PARTIALLY = {
    "SendMessageBatch": send_message_batch,
    "PutRecords": by_place("Records", "FailedRecordCount", ["ProvisionedThroughputExceededException", "InternalFailure"]),
    "PutEvents": by_place("Entries", "FailedEntryCount", ["ThrottlingException", "InternalFailure"]),
    "PublishBatch": publish_batch,
}
