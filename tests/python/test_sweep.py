"""What the applications of tests/sweep promise, and how scripts/measure-sweep judges: without a server."""

import importlib.util
import json
import sys
import tempfile
import unittest
from importlib.machinery import SourceFileLoader
from pathlib import Path

ROOT = Path(__file__).parents[2]


def module(name, path):
    spec = importlib.util.spec_from_loader(name, SourceFileLoader(name, str(path)))
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # none beside a script
    try:
        spec.loader.exec_module(found)
    finally:
        sys.dont_write_bytecode = writes
    return found


plan = module("sweep_plan", ROOT / "tests/sweep/plan.py")
sweep = module("measure_sweep", ROOT / "scripts/measure-sweep")

SIZES = [(50, 12), (200, 28), (1000, 28)]


class Generated(unittest.TestCase):
    def test_the_same_seed_gives_the_same_application(self):
        for endpoints, leaks in SIZES:
            one, other = plan.Plan(7, endpoints, leaks), plan.Plan(7, endpoints, leaks)
            self.assertEqual(plan.document(one.operations), plan.document(other.operations))
            self.assertEqual([leak.as_json() for leak in one.leaks], [leak.as_json() for leak in other.leaks])

    def test_every_operation_is_documented_and_in_one_leak_at_most(self):
        for seed in range(1, 20):
            for endpoints, leaks in SIZES[:2]:
                made = plan.Plan(seed, endpoints, leaks)
                paths = plan.document(made.operations)["paths"]
                documented = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
                self.assertEqual((len(documented), len(made.leaks)), (endpoints, leaks))
                members = [name for leak in made.leaks for name in {*leak.sources, *leak.victims, *leak.third}]
                self.assertEqual(len(members), len(set(members)))
                self.assertLessEqual(set(members), documented)

    def test_a_quarter_of_the_leaks_crosses_endpoints_and_needs_an_overlap(self):
        for endpoints, leaks in SIZES:
            made = plan.Plan(1, endpoints, leaks).leaks
            self.assertGreaterEqual(sum(leak.across and leak.needs == "overlap" for leak in made), leaks / 4)

    def test_what_can_be_created_can_be_deleted(self):
        for endpoints, leaks in SIZES:
            kinds = {(one.noun, one.kind) for one in plan.Plan(1, endpoints, leaks).operations}
            self.assertEqual({noun for noun, kind in kinds if kind == "create"}, {noun for noun, kind in kinds if kind == "remove"})

    def test_no_leak_that_stays_is_of_what_a_body_brought(self):
        for leak in plan.Plan(1, 200, 28).leaks:
            if leak.needs != "overlap":
                self.assertNotIn("body", leak.told.values())

    def test_a_middleware_shows_everybody_to_everybody(self):
        made = plan.Plan(1, 200, 28, middleware=True)
        (leak,) = made.leaks
        self.assertGreater(len(leak.victims), 150)
        self.assertEqual(set(leak.told.values()), {"identity"})

    def test_too_few_endpoints_are_refused(self):
        with self.assertRaises(SystemExit):
            plan.Plan(1, 20, 28)


def leak(sources, victims, classes=("shared_slot",)):
    return {
        "kind": "GlobalSlot", "needs": "overlap", "across": True, "sources": sources, "victims": victims, "classes": list(classes),
    }  # fmt: skip


def judged(findings, leaks):
    return sweep.Run(sweep.Reading(findings=findings), sweep.Safety(), leaks, 2).judge()


class Judging(unittest.TestCase):
    def test_a_finding_with_both_ends_is_found_and_right(self):
        run = judged([sweep.Finding("shared_slot", [("GET /a", "GET /b")])], [leak(["GET /a"], ["GET /b"])])
        self.assertEqual((len(run.found), run.right_source, run.right_class, run.alarms), (1, 1, 1, []))

    def test_a_wrong_source_is_found_and_counted(self):
        run = judged([sweep.Finding("cache", [("GET /c", "GET /b")])], [leak(["GET /a"], ["GET /b"])])
        self.assertEqual((len(run.found), run.right_source, run.right_class, len(run.wrong)), (1, 0, 0, 1))

    def test_what_no_leak_explains_is_a_false_alarm(self):
        run = judged([sweep.Finding("cache", [("GET /a", "GET /a")])], [leak(["GET /a"], ["GET /b"])])
        self.assertEqual((run.found, run.alarms), ([], [("cache", "GET /a", "GET /a")]))

    def test_one_cause_with_many_victims_is_one_leak(self):
        planted = [leak(["GET /a"], ["GET /a", "GET /b"])]
        run = judged([sweep.Finding("shared_slot", [("GET /a", "GET /a"), ("GET /a", "GET /b")])], planted)
        self.assertEqual((len(run.found), run.right_source), (1, 1))

    def test_a_record_is_read(self):
        found = {
            "class": "cache", "source": "GET /a", "victim": "GET /b", "after_requests": 7,
            "pairs": [{"source": 0, "victim": 1}, {"source": None, "victim": 2}],
        }  # fmt: skip
        operations = [{"name": "GET /a"}, {"name": "GET /b"}, {"name": "GET /c"}]
        swept = {"operations": operations, "findings": [found], "unsettled": [{"operation": "GET /d"}], "exercised": 0.9}
        dirty = {"sweep": swept, "duration_s": 2}
        reading = sweep.Reading.of({"status": "failed", "variants": [{"trials": [{"dirty": dirty}]}]})
        self.assertEqual(reading.findings, [sweep.Finding("cache", [("GET /a", "GET /b"), (None, "GET /c")], 7)])
        self.assertEqual((reading.status, reading.exercised, reading.unsettled), ("failed", 0.9, 1))

    def test_a_record_without_a_check_tells_why(self):
        trial = {"failure": {"message": "the port is in use"}}
        reading = sweep.Reading.of({"status": "failed", "variants": [{"trials": [trial]}]})
        self.assertEqual((reading.findings, reading.problem), ([], "the port is in use"))


class Journal(unittest.TestCase):
    def read(self, *entries):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "journal.jsonl"
            path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
            return sweep.Safety.read(path)

    def entry(self, method, path, **more):
        return {"method": method, "path": path, "status": 200, **more}

    def test_what_was_created_and_not_deleted_is_left(self):
        safety = self.read(
            self.entry("POST", "/a", created=1),
            self.entry("POST", "/a/1/b", created=2),
            self.entry("POST", "/a", created=3),
            self.entry("DELETE", "/a/1", deleted=1, **{"with": [2]}, own=True, of_run=True),
        )
        self.assertEqual((safety.requests, safety.left, safety.unsafe), (4, 1, 0))

    def test_a_server_that_counts_its_ids_anew_has_left_what_was_there(self):
        start = {"event": "start"}
        safety = self.read(start, self.entry("POST", "/a", created=1), start, self.entry("POST", "/a", created=1))
        self.assertEqual(safety.left, 2)

    def test_a_log_out_and_what_was_there_before_are_unsafe(self):
        safety = self.read(
            self.entry("GET", "/logout", dangerous=True),
            self.entry("DELETE", "/a/7", deleted=7, own=True, of_run=False),
        )
        self.assertEqual((safety.dangerous, safety.foreign), (["GET /logout"], ["DELETE /a/7"]))


class Reachable(unittest.TestCase):
    def application(self, methods):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "one.toml"
        path.write_text(f'#: expect = "dirty"\n[dirty]\nmethods = "{methods}"\n')
        return sweep.Application.read(path)

    def test_who_may_only_read_is_not_blamed_for_what_needs_a_write(self):
        reads = {"pairs": [["GET /a", "GET /b"]], "third": []}
        writes = {"pairs": [["POST /a", "GET /b"]], "third": []}
        owned = {"pairs": [["GET /a", "GET /b/{id}"]], "third": []}
        helped = {"pairs": [["GET /a", "GET /b"]], "third": ["PATCH /c/{id}"]}
        leaks = [reads, writes, owned, helped]
        self.assertEqual(list(map(self.application("read").reachable, leaks)), [True, False, False, False])
        self.assertEqual(list(map(self.application("write").reachable, leaks)), [True] * 4)

    def test_a_write_is_unsafe_where_only_reads_are_allowed(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "journal.jsonl"
            lines = [{"method": "POST", "path": one, "status": 200} for one in ("/login", "/a")]
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
            self.assertEqual(sweep.Safety.read(path, "read").written, ["POST /a"])
            self.assertEqual(sweep.Safety.read(path, "delete").written, [])


if __name__ == "__main__":
    unittest.main()
