"""What is said of each rule's finding, at three levels: in the pits (`WORDS`), and in the car (`CUES`).

`{name}` is a figure of the finding, `{usual_name}` what is usual at the driver's best, `{corner}` the corner.  A novice
is told one thing, in plain words and without numbers; others the figures, and then the terms.  The sentences are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pitwall.coach.finding import Level

N, M, A = Level.NOVICE, Level.INTERMEDIATE, Level.ADVANCED

WORDS: Final[Mapping[str, Mapping[Level, str]]] = {
    "coasts": {
        N: "Before {corner} you roll with no foot down. Stay on the power until it is time to brake.",
        M: "You coast {coasting} s before {corner}. Keep full power up to the brake point, then brake at once.",
        A: (
            "{corner}: {coasting} s of coasting, power let go {lift_point} m before the apex, brake at "
            "{brake_point} m. Hold full throttle to the brake point."
        ),
    },
    "brakes-early": {
        N: "You brake too soon for {corner}. Wait a little, then brake hard.",
        M: "You brake {brake_point} m before the apex of {corner} and gently. Brake later and harder.",
        A: (
            "{corner}: brake point {brake_point} m before the apex, {brake_g} g at most; {brake_share} % of the "
            "deceleration that this car reaches elsewhere. Later, with the full pressure at once."
        ),
    },
    "brakes-softly": {
        N: "Press the brake harder for {corner}.",
        M: "You brake with {brake_g} g for {corner}; you have done {usual_brake_g} g there. Press harder.",
        A: (
            "{corner}: {brake_g} g against {usual_brake_g} g at your best, from the same point. More initial pressure."
        ),
    },
    "builds-pressure-slowly": {
        N: "Get on the brake quickly for {corner}: firm at once, then ease off.",
        M: ("It takes you {brake_rise} s to brake fully for {corner}. Squeeze fast, then ease off towards the apex."),
        A: "{corner}: {brake_rise} s from first touch to full pressure, {usual_brake_rise} s at your best.",
    },
    "brakes-late-and-deep": {
        N: "You brake too late for {corner} and run past it. Brake a touch sooner and turn in calmly.",
        M: (
            "You brake {brake_point} m before the apex of {corner}, {usual_brake_point} m at your best, and are "
            "slowest too late in the corner. Give a little at the entry for the exit."
        ),
        A: (
            "{corner}: brake point {brake_point} m against {usual_brake_point} m, slowest {slowest_point} m from "
            "the apex against {usual_slowest_point} m, exit {exit_speed} km/h against {usual_exit_speed} km/h."
        ),
    },
    "releases-abruptly": {
        N: "Come off the brake slowly as you turn into {corner}.",
        M: "You let the brake go in {brake_release} s at {corner}. Ease it off as the steering goes on.",
        A: (
            "{corner}: brake released in {brake_release} s, {usual_brake_release} s at your best; the nose comes "
            "up as you turn. Ease off with the steering."
        ),
    },
    "does-not-trail": {
        N: "Keep a little brake on while you begin to turn into {corner}.",
        M: "You are off the brake when you turn into {corner}. Carry some of it towards the apex.",
        A: "{corner}: {trail} s of trail braking, {usual_trail} s at your best. Overlap brake and steering.",
    },
    "releases-unevenly": {
        N: "Let the brake go in one smooth move at {corner}.",
        M: "Your foot goes back onto the brake as you turn into {corner}. Let it go once, evenly.",
        A: (
            "{corner}: {trail_rough} % of the pressure was added again while turning, {usual_trail_rough} % at "
            "your best."
        ),
    },
    "misses-apex": {
        N: "You are too far from the inside of {corner}. Look at the apex and let the car come to it.",
        M: (
            "You miss the apex of {corner} and have to turn more tightly: {minimum_speed} km/h, "
            "{usual_minimum_speed} km/h at your best."
        ),
        A: (
            "{corner}: apex missed; tightest radius {radius} m against {usual_radius} m, minimum {minimum_speed} "
            "km/h against {usual_minimum_speed} km/h at the same grip."
        ),
    },
    "over-slows": {
        N: "You slow down too much for {corner}. It goes faster: come off the brake sooner.",
        M: "You go down to {minimum_speed} km/h in {corner}; {usual_minimum_speed} km/h has worked there.",
        A: (
            "{corner}: minimum {minimum_speed} km/h against {usual_minimum_speed} km/h on the same arc, {peak_g} "
            "g against {usual_peak_g} g."
        ),
    },
    "turns-in-early": {
        N: "Wait a little before you turn into {corner}.",
        M: (
            "You turn in {turn_in} m before the apex of {corner}, {usual_turn_in} m at your best, and run wide "
            "behind it."
        ),
        A: (
            "{corner}: turn-in {turn_in} m against {usual_turn_in} m, slowest {slowest_point} m from the apex "
            "against {usual_slowest_point} m: an early apex."
        ),
    },
    "turns-in-late": {
        N: "Turn in a little sooner for {corner}.",
        M: (
            "You turn in {turn_in} m before the apex of {corner}, {usual_turn_in} m at your best: too much is "
            "left to turn at once."
        ),
        A: (
            "{corner}: turn-in {turn_in} m against {usual_turn_in} m, minimum {minimum_speed} km/h against "
            "{usual_minimum_speed} km/h."
        ),
    },
    "leaves-grip": {
        N: "The tyres can do more in {corner}. Trust them a little more each lap.",
        M: "You use {grip_share} % of the grip in {corner}, {usual_grip_share} % at your best.",
        A: (
            "{corner}: {grip_share} % of the friction circle against {usual_grip_share} %, peak {peak_g} g "
            "against {usual_peak_g} g."
        ),
    },
    "corrects-steering": {
        N: "Steer once and calmly through {corner}.",
        M: ("You correct the steering {corrections} times in {corner}. Enter a little slower, or turn in more gently."),
        A: (
            "{corner}: {corrections} steering corrections, {usual_corrections} at your best; entry {entry_speed} km/h."
        ),
    },
    "fast-in-slow-out": {
        N: "Go into {corner} a little slower, and come out faster.",
        M: (
            "You turn into {corner} at {entry_speed} km/h and leave at {exit_speed} km/h, {usual_exit_speed} km/h "
            "at your best. Slow in, fast out."
        ),
        A: (
            "{corner}: entry {entry_speed} km/h against {usual_entry_speed} km/h, exit {exit_speed} km/h against "
            "{usual_exit_speed} km/h."
        ),
    },
    "late-to-power": {
        N: "You wait too long behind {corner}. Go back to power as soon as the car points out.",
        M: "Power comes {power_point} m from the apex of {corner}, {usual_power_point} m at your best.",
        A: (
            "{corner}: throttle on {power_point} m from the apex against {usual_power_point} m, exit {exit_speed} "
            "km/h against {usual_exit_speed} km/h."
        ),
    },
    "timid-on-power": {
        N: "Once on the power behind {corner}, press on.",
        M: "It takes you {power_rise} s to full power behind {corner}, {usual_power_rise} s at your best.",
        A: (
            "{corner}: {power_rise} s from pick-up to full throttle against {usual_power_rise} s, exit "
            "{exit_speed} km/h against {usual_exit_speed} km/h."
        ),
    },
    "lifts-on-exit": {
        N: "Once on the power behind {corner}, stay on it.",
        M: "You lift behind {corner} with power already on. Begin gently enough to stay on it.",
        A: (
            "{corner}: {power_lifts} lifts behind the pick-up, exit {exit_speed} km/h against {usual_exit_speed} km/h."
        ),
    },
    "power-too-soon": {
        N: "Wait for the car to point out of {corner} before you press the power.",
        M: ("You go to power {power_point} m from the apex of {corner} and have to lift; {usual_power_point} m works."),
        A: (
            "{corner}: pick-up at {power_point} m against {usual_power_point} m, then {power_lifts} lifts; exit "
            "{exit_speed} km/h against {usual_exit_speed} km/h."
        ),
    },
    "slow-exit": {
        N: "Get {corner} right at its exit: the straight behind it is long.",
        M: "You leave {corner} at {exit_speed} km/h, {usual_exit_speed} km/h at your best.",
        A: (
            "{corner}: exit {exit_speed} km/h against {usual_exit_speed} km/h, minimum {minimum_speed} km/h "
            "against {usual_minimum_speed} km/h."
        ),
    },
    "misses-shift": {
        N: "A shift went wrong on the way to {corner}. Take the lever calmly, all the way.",
        M: "A shift before {corner} took {shift_time} s, {usual_shift_time} s is usual. Calmly, all the way.",
        A: (
            "To {corner}: {shift_time} s without power at a shift, {usual_shift_time} s is usual; top speed "
            "{top_speed} km/h against {usual_top_speed} km/h."
        ),
    },
    "lifts-on-straight": {
        N: "You lift on the way to {corner}. Stay flat.",
        M: "You lift for {lift_time} s on the straight before {corner}. It goes flat.",
        A: (
            "To {corner}: {lift_time} s off full power on the straight; top speed {top_speed} km/h against "
            "{usual_top_speed} km/h."
        ),
    },
    "short-shifts": {
        N: "You shift up too soon on the way to {corner}. Let the engine rev.",
        M: "You shift up at {shift_rpm} rpm before {corner}, {usual_shift_rpm} rpm is usual.",
        A: (
            "To {corner}: upshift at {shift_rpm} rpm against {usual_shift_rpm} rpm; top speed {top_speed} km/h "
            "against {usual_top_speed} km/h."
        ),
    },
    "brake-point-varies": {
        N: "Pick one mark to brake at for {corner}, and use it every lap.",
        M: "Your brake point for {corner} moves by {brake_point_spread} m from lap to lap. Pick one mark.",
        A: "{corner}: brake point {brake_point} m before the apex, with a deviation of {brake_point_spread} m.",
    },
    "minimum-speed-varies": {
        N: "Drive {corner} the same way each lap before you drive it faster.",
        M: "Your minimum speed in {corner} moves by {minimum_speed_spread} km/h from lap to lap. Repeat it first.",
        A: "{corner}: minimum {minimum_speed} km/h with a deviation of {minimum_speed_spread} km/h.",
    },
    "spin": {
        N: "You spun. Go back to what worked, and build up again.",
        M: "You spun: the car turned {about_itself} degrees about itself. Look at your entry speed there.",
        A: "Spin: {about_itself} degrees about itself, from {speed_before} km/h; {times} in all.",
    },
    "lock-up": {
        N: "A wheel locked under braking. Press firmly, then ease off.",
        M: "A wheel locked under braking, {times} times in all. Less pressure as the car slows.",
        A: "Lock-up: {wheel_speed} km/h against {fastest_wheel} km/h of the fastest wheel; {times} in all.",
    },
    "wheel-spin": {
        N: "A wheel spun. Squeeze the power on.",
        M: "A wheel spun under power, {times} times in all. Squeeze it on as the steering comes off.",
        A: "Wheel spin: {wheel_speed} km/h against {other_wheels} km/h of the others; {times} in all.",
    },
    "over-rev": {
        N: "The engine turned too fast. Shift up sooner, and down later.",
        M: "The engine turned beyond its limit, {times} times in all. Later downshifts, sooner upshifts.",
        A: "Over-rev beyond {limit} rpm; {times} in all. Look at the downshifts.",
    },
    "oil-pressure": {
        N: "The oil pressure was too low. Have it looked at before you drive on.",
        M: "The oil pressure was below {limit} bar, {times} times in all. Have it looked at before you drive on.",
        A: "Oil pressure below {limit} bar; {times} in all. Level and pick-up, before the next run.",
    },
    "oil-temperature": {
        N: "The oil was too hot. Drive a slow lap sooner.",
        M: "The oil was above {limit} degrees, {times} times in all. Cool it with a slow lap.",
        A: "Oil temperature above {limit} degrees; {times} in all. Cooling lap, air to the cooler.",
    },
    "water-temperature": {
        N: "The engine was too hot. Drive a slow lap sooner, and have it looked at.",
        M: "The water was above {limit} degrees, {times} times in all. Cool it with a slow lap.",
        A: "Water temperature above {limit} degrees; {times} in all. Cooling lap; level, fan, air.",
    },
    "out-of-limits": {
        N: "The {corner} was out of its limits. Have it looked at.",
        M: "The {corner} was out of its limits, {times} times in all: {value}, the limit is {limit}.",
        A: "{corner}: {value} beyond its limit of {limit}; {times} in all.",
    },
}

CUES: Final[Mapping[str, Mapping[Level, str]]] = {
    "coasts": {N: "Stay on the power", M: "Power right up to the brakes", A: "No coasting: full to the brake point"},
    "brakes-early": {
        N: "Brake a little later",
        M: "Brake later and harder",
        A: "Later brake point, full pressure at once",
    },
    "brakes-softly": {N: "Brake harder", M: "Firmer on the brake", A: "More brake pressure"},
    "builds-pressure-slowly": {N: "Brake firmly at once", M: "Quick to full pressure", A: "Faster pressure build-up"},
    "brakes-late-and-deep": {
        N: "Brake a touch sooner",
        M: "A touch sooner, better exit",
        A: "Brake point back a little, earlier rotation",
    },
    "releases-abruptly": {N: "Ease off the brake", M: "Slow brake release", A: "Smooth release into the turn"},
    "does-not-trail": {N: "A little brake as you turn", M: "Trail the brake in", A: "Trail to the apex"},
    "releases-unevenly": {N: "One smooth release", M: "Release the brake once", A: "Even release"},
    "misses-apex": {N: "Get to the apex", M: "Clip the apex", A: "Apex: open the radius"},
    "over-slows": {N: "Carry a bit more speed", M: "More minimum speed", A: "Grip left at the apex: more speed in"},
    "turns-in-early": {N: "Turn in later", M: "Patience, turn in later", A: "Later turn-in, later apex"},
    "turns-in-late": {N: "Turn in sooner", M: "Earlier, gentler turn-in", A: "Earlier turn-in"},
    "leaves-grip": {N: "Trust the tyres", M: "Use more grip", A: "Grip unused"},
    "corrects-steering": {N: "Calm hands", M: "One steering input", A: "Fewer corrections"},
    "fast-in-slow-out": {N: "Slower in, faster out", M: "Slow in, fast out", A: "Trade entry for exit"},
    "late-to-power": {N: "Power sooner", M: "Back to power earlier", A: "Earlier throttle pick-up"},
    "timid-on-power": {N: "Press on", M: "Full power sooner", A: "Faster throttle ramp"},
    "lifts-on-exit": {N: "Stay on the power", M: "No second lift", A: "One pick-up, no lift"},
    "power-too-soon": {N: "Wait, then power", M: "A little later, then stay on", A: "Later pick-up, no lift"},
    "slow-exit": {N: "Think of the exit", M: "Exit speed", A: "Exit speed first"},
    "misses-shift": {N: "Shift calmly", M: "Calm, full shifts", A: "Clean shifts"},
    "lifts-on-straight": {N: "Stay flat", M: "Flat all the way", A: "No lift on the straight"},
    "short-shifts": {N: "Shift later", M: "Use the revs", A: "Upshift later"},
    "brake-point-varies": {N: "Same brake mark", M: "Same brake mark", A: "Repeat the brake point"},
    "minimum-speed-varies": {N: "Same as last lap", M: "Repeat it", A: "Repeat the minimum speed"},
}
"""Before the corner: a few words, said before it comes."""

INCIDENT_CUES: Final[Mapping[str, Mapping[Level, str]]] = {
    "spin": {
        N: "Stop, look, and rejoin when it is clear.",
        M: "Spin. Brakes on, look, rejoin when clear.",
        A: "Spin. Rejoin when clear, mind the tyres.",
    },
    "lock-up": {
        N: "A wheel locked. Ease the brake a little.",
        M: "Locked the {what} wheel. Ease the pressure.",
        A: "Lock-up {what}. Less peak pressure, mind a flat spot.",
    },
    "over-rev": {N: "Too many revs.", M: "Over-rev. Shift sooner.", A: "Over-rev. Check the downshift."},
    "oil-pressure": {
        N: "Oil pressure low. Engine off when it is safe.",
        M: "Oil pressure low. Lift, and stop where it is safe.",
        A: "Oil pressure. Lift now, box or stop.",
    },
    "oil-temperature": {
        N: "The oil is hot. Take a slow lap.",
        M: "Oil temperature high. Cool the car.",
        A: "Oil temperature. Cooling lap, short-shift.",
    },
    "water-temperature": {
        N: "The engine is hot. Take a slow lap.",
        M: "Water temperature high. Cool the car.",
        A: "Water temperature. Cooling lap, clean air.",
    },
    "": {N: "Check the {what}.", M: "The {what} is out of its limits.", A: "The {what} is out of its limits."},
}
"""What is said of an incident as soon as it can be; "": of any other channel that is out of its limits."""
