"""Pages under load: from the page cache, a 304, and the forms, each against hello in the same app."""

from typing import Any

from bench.figures import Row, against, rounds
from bench.load import Gun, get
from bench.servers import Server
from bench.world import PLAN, SLUG, World

PAGES = {
    "home": "/",
    "fundraiser": f"/fundraisers/{SLUG}",
    "plans": "/join",
    "banner": "/embed/banner",
}
FORMS = {"gift form": f"/fundraisers/{SLUG}/give", "join form": f"/join/{PLAN}"}
LONGEST = 55  # seconds for all rounds
HELLO, BARE = "/bench/hello", "/bare/hello"


def measure(world: World, gun: Gun, most: int, seconds: float) -> list[Row]:
    """All shots of a round one after another, then the next round."""
    with Server("bench.floor:app", world.environment(world.fresh("sqlite"))) as server:
        shots = _shots()
        for shot in shots.values():  # every connection's thread and every page is warm
            gun.shoot(server.port, 0.15, **shot)
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in shots}
        for _ in rounds(most, LONGEST):
            for name, shot in shots.items():
                found[name].append(_shot(server, gun, seconds, shot))
    return _rows(found)


def _shot(server: Server, gun: Gun, seconds: float, shot: dict[str, Any]) -> dict[str, Any]:
    before = server.cpu_seconds()
    told = gun.shoot(server.port, seconds, **shot)
    told["cpu_us"] = (server.cpu_seconds() - before) * 1e6 / max(told["answers"], 1)
    return told


def _shots() -> dict[str, dict[str, Any]]:
    shots: dict[str, dict[str, Any]] = {"hello": {"request": get(HELLO)}, "bare": {"request": get(BARE)}}
    for name, path in PAGES.items():
        shots[f"{name} 200"] = {"request": get(path)}
        shots[f"{name} 304"] = {"request": get(path, {"If-None-Match": "*"}), "status": 304}
    return shots | {name: {"request": get(path)} for name, path in FORMS.items()}


def _rows(found: dict[str, list[dict[str, Any]]]) -> list[Row]:
    rows = []
    for name, label, reach in (
        *((f"{page} {status}", f"{page} page {status}", 0.6) for page in PAGES for status in (200, 304)),
        *((form, form, 0.15) for form in FORMS),
    ):
        rows.append(_against_hello(found, name, label, reach))
    told = "what the app's own layers leave of a bare Flask app's hello"
    hello = _against_hello(found, "hello", "hello in the app", None, floor="bare")
    hello.says = f"{told}; {hello.says}"
    return [*rows, hello]


def _against_hello(
    found: dict[str, list[dict[str, Any]]],
    name: str,
    label: str,
    reach: float | None,
    *,
    floor: str = "hello",
) -> Row:
    """By answers a second; beside it what the server's processes worked for one answer, which no neighbour disturbs."""

    def each(shot: str, what: str) -> list[float]:
        return [told[what] for told in found[shot]]

    work = against("", each(name, "cpu_us"), each(floor, "cpu_us"), "us", None, fewer_is_better=True)
    bare = against("", each(name, "rate"), each("bare", "rate"), "/s", None)
    says = f"by CPU {work.ratio:.2f} ({work.figure:.0f} us an answer, floor {work.floor:.0f} us)"
    if floor != "bare":
        says += f"; of a bare Flask app's hello {bare.ratio:.2f}"
    return against(
        label,
        each(name, "rate"),
        each(floor, "rate"),
        "/s",
        reach,
        says=says,
        cpu=work.rounds,
        of_bare=bare.rounds["ratios"],
        waits_ms={"median": each(name, "median_ms"), "p99": each(name, "p99_ms")},
    )
