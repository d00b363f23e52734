"""Several servers on one ledger, as where colleagues each start the page on their own machine."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from desks import TASKS, desk, project, said

from allrounder.labeling.people import Person

PEOPLE = [Person(name) for name in ("ada", "bob", "eve")]


@pytest.fixture(params=["file", "postgres"])
def desks(request, tmp_path):
    """One desk a person over the same records, and a ledger that they share."""
    ledger = {}
    if request.param == "postgres":
        ledger["ledger"] = request.getfixturevalue("database")
    file = project(tmp_path / "news", n=60, tasks={"topic": TASKS["topic"]}, **ledger)
    made = [desk(file) for _ in PEOPLE]
    yield made
    for one in made:
        one.answers.close()


def test_nobody_does_what_another_does_at_another_server(desks):
    def label(desk, person, have) -> int:
        done = 0
        while True:
            told = desk.next(person, f"tab of {person.name}", have=have, want=[], n=5)
            have = [key for key in have if key not in told["drop"]]
            have += [record["key"] for record in told["records"]]
            if not have:
                return done
            key = have.pop(0)
            sent = desk.answer(person, [said(f"{person.name}{done}", key, "sports")])
            done += len(sent["saved"])

    # Each begins with some, since a disk may let the quickest do all the rest.
    some = [following(one, person, n=5) for one, person in zip(desks, PEOPLE, strict=True)]
    with ThreadPoolExecutor() as threads:
        done = list(threads.map(label, desks, PEOPLE, some))
    events = list(desks[0].answers.events())
    assert sum(done) == len(events) == len({one.key for one in events}) == 60
    assert min(done) >= 5


def test_what_is_held_or_answered_elsewhere_is_asked_nobody(desks):
    ada, bob = PEOPLE[:2]
    mine = following(desks[0], ada, n=12)
    others = following(desks[1], bob, n=12)
    assert len(mine) == len(others) == 12 and not {*mine} & {*others}
    desks[0].answer(ada, [said(str(n), key, "sports") for n, key in enumerate(mine)])
    desks[1].answer(bob, [said(str(n), key, "sports") for n, key in enumerate(others, 12)])
    assert not {*following(desks[1], bob, n=12)} & {*mine, *others}
    assert desks[1].progress(bob)["tasks"]["topic"]["team"] == 24


def following(desk, person, *, n) -> list[str]:
    told = desk.next(person, f"tab of {person.name}", have=[], want=[], n=n)
    return [record["key"] for record in told["records"]]
