"""Whether the analysis finds what it looks for: records with a fault in each. Runs before every run."""

import sys
import unittest

import analysis
from faults import Occurrence
from receiver import Delivery


def delivery(time, token, number=None, relay=1, destination="mail", key="k"):
    return Delivery(time, relay, destination, token, key if number is not None else None, number or 0)


def fault(kind, target, begin, end, repeats=True, halts=True):
    return Occurrence(kind, target, begin, end, repeats, halts, "")


class OrderTests(unittest.TestCase):
    def test_an_older_one_that_comes_first_after_a_newer_one_is_out_of_order(self):
        found = analysis.order([delivery(1, 11, 1), delivery(2, 13, 3), delivery(3, 12, 2)])
        self.assertEqual([(13, 12)], [(newer.token, older.token) for newer, older in found.violations])

    def test_a_repetition_of_an_older_one_is_counted_apart(self):
        found = analysis.order([delivery(1, 11, 1), delivery(2, 12, 2), delivery(3, 11, 1), delivery(4, 12, 2)])
        self.assertEqual(([], 1), (found.violations, found.repeated_late))

    def test_keys_and_destinations_have_an_order_each(self):
        found = analysis.order([
            delivery(1, 12, 2), delivery(2, 21, 1, key="l"), delivery(3, 31, 1, destination="orders"), delivery(4, 41),
        ])
        self.assertEqual([], found.violations)


class RepeatsTests(unittest.TestCase):
    kill = fault("relay killed", ("relay", 1), 10, 11)

    def test_a_fault_between_the_two_explains(self):
        found = analysis.repeats([delivery(9, 1), delivery(12, 1, relay=2)], [self.kill])
        self.assertEqual((1, {self.kill: 1}, []), (found.count, dict(found.by_fault), found.unexplained))

    def test_another_relay_does_not(self):
        found = analysis.repeats([delivery(9, 1, relay=2), delivery(12, 1, relay=3)], [self.kill])
        self.assertEqual(1, len(found.unexplained))

    def test_nor_does_one_that_repeats_nothing_or_is_long_over(self):
        self.assertEqual(
            1, len(analysis.repeats([delivery(9, 1), delivery(12, 1)], [fault("split", ("streams", "mail"), 10, 11, False)]).unexplained)
        )
        self.assertEqual(1, len(analysis.repeats([delivery(30, 1), delivery(31, 1)], [self.kill]).unexplained))


class LateCallsTests(unittest.TestCase):
    stopped = fault("relay stopped", ("relay", 1), 10, 50)

    def test_what_it_delivers_behind_its_successor_is_one(self):
        found = analysis.late_calls([delivery(42, 1, 1, relay=2), delivery(43, 2, 2, relay=2), delivery(51, 1, 1)], self.stopped)
        self.assertEqual([51], [late.time for late in found])

    def test_what_it_delivers_next_is_not(self):
        found = analysis.late_calls([delivery(42, 1, 1, relay=2), delivery(51, 2, 2), delivery(52, 1, 1, relay=2)], self.stopped)
        self.assertEqual([], found)


class StallsTests(unittest.TestCase):
    def test_only_with_something_waiting(self):
        found = analysis.stalls({("mail", 1): 10, ("mail", 2): 20}, [delivery(11, 1), delivery(25, 2)])
        self.assertEqual([1, 5], sorted(stall.seconds for stall in found))

    def test_any_delivery_ends_one(self):
        found = analysis.stalls({("mail", 1): 10, ("mail", 2): 10}, [delivery(12, 1), delivery(13, 1), delivery(17, 2)])
        self.assertEqual([1, 2, 4], sorted(stall.seconds for stall in found))

    def test_it_is_put_down_to_what_was_in_force_for_most_of_it(self):
        long, short = fault("stopped", ("relay", 1), 10, 40), fault("killed", ("relay", 2), 12, 13)
        elsewhere = fault("down", ("destination", "search"), 0, 100)
        one_key = fault("one key", ("destination", "mail"), 0, 100, halts=False)
        faults = [elsewhere, long, short, one_key]
        self.assertEqual(long, analysis.fault_of(analysis.Stall("mail", 11, 38), faults))
        self.assertEqual(short, analysis.fault_of(analysis.Stall("mail", 11, 38, relay=2), faults))
        self.assertEqual(one_key, analysis.fault_of(analysis.Stall("mail", 60, 70), faults))
        self.assertIsNone(analysis.fault_of(analysis.Stall("mail", 200, 210), faults))


if __name__ == "__main__":
    sys.argv = sys.argv[:1] + ["--quiet"]
    unittest.main(verbosity=0)
