"""Answers and questions in few words."""

from allrounder.ledger import Answer, Question


def answer(id, value="a", *, act="label", who="ada", key="k1", **more):
    value = value if act in ("label", "settle") else None
    key = f"{int(key[1:]):016x}" if key.startswith("k") else key
    return Answer(id=id, who=who, key=key, task="topic", act=act, value=value, **more)


def undo(id, undoes, **more):
    return answer(id, act="undo", undoes=undoes, **more)


def question(n, **more):
    plain = {"arm": "chosen", "strategy": "margin", "task": "topic"}
    return Question(**{**plain, "key": f"{n:016x}", **more})
