# SPDX-License-Identifier: GPL-2.0-or-later
"""What is analysed with Frama-C, and how. One entry per file of harness/; `check` runs them."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Step:
    """One run of Eva."""
    entry: str                                 # function of the harness; it calls THE_END()
    slevel: int = 0                            # states that Eva keeps apart
    slevels: dict[str, int] = dataclasses.field(default_factory=dict)  # ... in a function
    split_return: tuple[str, ...] = ()         # "function:value": states that a result keeps apart
    contracts: tuple[str, ...] = ()            # functions that stand in by their contract; another step proves it
    proves: tuple[str, ...] = ()               # functions with a contract whose bodies this step analyses
    options: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Hint:
    """An annotation that helps Eva and assumes nothing, put into the copy of a source that is analysed."""
    file: str
    before: str      # text that occurs once in it
    annotation: str


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A broken variant of the code: Eva must raise this alarm."""
    name: str
    step: str
    file: str
    old: str         # occurs once in it
    new: str
    where: str       # file of the alarm
    alarm: str       # regular expression


@dataclasses.dataclass(frozen=True)
class Harness:
    name: str
    what: str                                  # what it analyses, for the test's name
    files: tuple[str, ...]                     # each function of these must be analysed, in one of the steps
    steps: tuple[Step, ...]
    functions: tuple[str, ...] = ()            # if not empty: of `files`, only these
    sources: tuple[str, ...] = ()              # further files to read, in the copy
    proved_in: dict[str, str] = dataclasses.field(default_factory=dict)  # contracts that another harness proves
    includes: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    hints: tuple[Hint, ...] = ()
    stubs: dict[str, str] = dataclasses.field(default_factory=dict)        # without a body, by contract: function, what it stands for
    left_out: dict[str, str] = dataclasses.field(default_factory=dict)     # functions of the files: why
    dead: dict[str, tuple[int, str]] = dataclasses.field(default_factory=dict)  # statements that cannot be reached: how many, why
    mutants: tuple[Mutant, ...] = ()


CORE = "timematch/core/"
CASM = "xen-patches/files/xen/arch/x86/casm/"

INSN = Harness(
    name="insn", what="casm_insn_classify", files=(CORE + "casm_insn.c",),
    steps=(
        Step("prefixes", slevel=100, proves=("parse_prefixes",)),
        Step("instruction", slevel=40, contracts=("parse_prefixes",), proves=("classify",)),
        Step("run_of_instructions", slevels={"run_of_instructions": 100}, contracts=("classify",)),
    ),
    hints=(
        Hint("core/casm_insn.c", "        rest = n - at;", "        //@ split at;"),
        Hint("core/casm_insn.c", "        modrm = modrm_length(", "        //@ split at;"),
    ),
    dead={"modrm_length": (3, "no byte left: its only caller has looked")},
    mutants=(
        Mutant("the prefixes may end one byte later", "prefixes", "core/casm_insn.c", "for ( i = 0; i < n; i++ )",
               "for ( i = 0; i <= n; i++ )", "core/casm_insn.c", "out of bounds read"),
        Mutant("the second opcode byte need not be there", "instruction", "core/casm_insn.c",
               "    if ( opcode == 0x0f )\n    {\n        if ( at == n )", "    if ( opcode == 0x0f )\n    {\n        if ( 0 )",
               "core/casm_insn.c", "out of bounds read"),
        Mutant("the SIB byte need not be there", "instruction", "core/casm_insn.c", "if ( n < 2 )", "if ( n < 1 )",
               "core/casm_insn.c", "out of bounds read"),
        Mutant("as many bytes as the caller says", "run_of_instructions", "core/casm_insn.c",
               "    if ( n > CASM_INSN_FETCH_BYTES )\n        n = CASM_INSN_FETCH_BYTES;\n", "",
               "core/casm_insn.c", "valid_read"),
        Mutant("an instruction may be longer than its limit", "instruction", "core/casm_insn.c", "if ( at > CASM_INSN_MAX_BYTES )",
               "if ( 0 )", "harness/insn.c", "postcondition"),
    ),
)

CANON = Harness(
    name="canon", what="casm_canon_begin.casm_canon_next", files=(CORE + "casm_canon.c",),
    steps=(
        Step("recording", slevel=20, slevels={"next": 0, "casm_canon_next": 0, "run_one": 0},
             split_return=("casm_canon_begin:0",)),
        Step("never_begun"),
    ),
    mutants=(
        Mutant("no limits, and they are read", "recording", "core/casm_canon.c",
               "limits ? limits->max_steps : CASM_CANON_MAX_STEPS_DEFAULT", "limits->max_steps", "core/casm_canon.c", "out of bounds read"),
        Mutant("it begins with what was there before", "recording", "core/casm_canon.c", "    *c = none;\n", "",
               "core/casm_canon.c", "uninitialized"),
        Mutant("an answer without flags", "recording", "core/casm_canon.c", "    act.flags = flags;\n", "",
               "harness/observation.h", "uninitialized"),
        Mutant("a machine that was never begun is at work", "never_begun", "core/casm_canon.c", "enum { ENDED = 0, FIRST, STEPPING };",
               "enum { FIRST = 0, ENDED, STEPPING };", "harness/canon.c", "check"),
    ),
)

MATCH = Harness(
    name="match", what="casm_match_begin.casm_match_next", files=(CORE + "casm_match.c",),
    steps=(
        Step("replaying", slevel=50, split_return=("casm_match_begin:0", "check_target:0"),
             slevels={name: 0 for name in ("search", "next", "casm_match_next", "by_state", "canonical", "approach", "overflow")}),
        Step("never_begun"),
    ),
    mutants=(
        Mutant("any shift will do", "replaying", "core/casm_match.c", " || m->limits.slack_shift > 63", "", "core/casm_match.c",
               "invalid RHS operand for shift"),
        Mutant("a breakpoint where the log says", "replaying", "core/casm_match.c",
               "    if ( !casm_tm_guest_address(t->rip) )\n        return CASM_TM_WHY_BAD_ADDRESS;\n", "", "core/casm_match.c",
               "breakpoint_in_the_guests_part"),
        Mutant("no limits, and they are read", "replaying", "core/casm_match.c", "    if ( limits )\n        m->limits", "    if ( 1 )\n        m->limits",
               "core/casm_match.c", "out of bounds read"),
        Mutant("it begins with what was there before", "replaying", "core/casm_match.c", "    *m = none;\n", "", "core/casm_match.c",
               "uninitialized"),
        Mutant("an answer without flags", "replaying", "core/casm_match.c", "    act.flags = flags;\n", "", "harness/observation.h",
               "uninitialized"),
        Mutant("a machine that was never begun is at work", "never_begun", "core/casm_match.c", "enum { ENDED = 0, SEARCHING };",
               "enum { SEARCHING = 0, ENDED };", "harness/match.c", "check"),
    ),
)

BRIDGE = Harness(
    name="bridge", what="casm_bridge_up.down.text", files=(CASM + "bridge.c",), includes=("proofs/frama-c/stub",),
    steps=(
        Step("attach", slevel=20),
        Step("up", slevel=20),
        Step("down", slevel=20, options=("-eva-domains", "octagon")),
        Step("text", slevel=20),
    ),
    mutants=(
        Mutant("any index is believed", "down", "casm/bridge.c", "n > h->size_bytes ? h->size_bytes : n;", "n;", "casm/bridge.c",
               "memcpy: precondition 'valid_(dest|src)'"),
        Mutant("an index that does not wrap", "up", "casm/bridge.c", "h->data + ((prod - n + i) & (h->size_bytes - 1));\n\n            b->standin",
               "h->data + (prod - n + i);\n\n            b->standin", "casm/bridge.c", "out of bounds|invalid pointer"),
        Mutant("a page and a byte", "attach", "casm/bridge.c", "memcpy(b->standin, b->guest, 4096)", "memcpy(b->standin, b->guest, 4097)",
               "casm/bridge.c", "memcpy: precondition 'valid_(dest|src)'"),
        Mutant("a layout that leaves the page", "up", "casm/bridge.c", ".cons = 3072, .prod = 3076", ".cons = 4093, .prod = 3076",
               "casm/bridge.c", "out of bounds"),
        Mutant("as much text as there is", "text", "casm/bridge.c", "    if ( n > max )\n        n = max;\n", "", "casm/bridge.c",
               "out of bounds write|invalid pointer"),
        Mutant("text to the end of an index that does not wrap", "text", "casm/bridge.c", "h->data + ((*seen + i) & (h->size_bytes - 1))",
               "h->data + (*seen + i)", "casm/bridge.c", "out of bounds read|invalid pointer"),
    ),
)

# The shim brings Xen's types, its public headers the interface.
XEN_INCLUDES = ("tests/xen/shim", "tests/xen/shim/casm", "xen-patches/files/xen/arch/x86/include")
XEN_DEFINES = ("-idirafter", "/usr/include")

# What a read of the feed yields, and whether there was one, must stay together.
FEED_SPLITS = ("casm_peek:0", "take:0", "casm_take_blob:0", "casm_peek_payload:0")

STREAM = Harness(
    name="stream", what="casm_take.casm_take_blob.casm_peek", files=(CASM + "stream.c",), includes=XEN_INCLUDES, defines=XEN_DEFINES,
    steps=(
        Step("copying", slevel=1000, options=("-eva-no-builtins-auto",)),
        Step("copying_exactly", slevel=1000, proves=("copy_in", "copy_out")),
        *(Step(entry, slevel=100, split_return=FEED_SPLITS, contracts=contracts)
          for entry, contracts in (("peeking", ("copy_out",)), ("taking", ()), ("taking_blobs", ("copy_out",)), ("putting", ("copy_in",)),
                                   ("publishing", ()), ("diverging", ()))),
    ),
    dead={"casm_console_report": (9, "there are no bridges here; harness consumers has them")},
    mutants=(
        Mutant("any length of a blob", "taking_blobs", "casm/stream.c", "!log.check || log.check > size ||", "!log.check ||",
               "casm/stream.c", "copy_out: precondition"),
        Mutant("the length is read again", "taking_blobs", "casm/stream.c", "copy_out(&c->feed, c->feed.pos, blob, rec->check);",
               "copy_out(&c->feed, c->feed.pos, blob, as_rec(*slot(&c->feed, c->feed.pos - 8 - 8 * nw)).check);",
               "casm/stream.c", "copy_out: precondition"),
        Mutant("a position that does not wrap", "peeking", "casm/stream.c", "return s->data + ((pos & s->mask) >> 3);",
               "return s->data + (pos >> 3);", "casm/stream.c", "invalid pointer|out of bounds"),
        Mutant("a copy out of the ring's end", "copying", "casm/stream.c",
               "    if ( len <= to_end )\n        memcpy(to,", "    if ( len <= to_end + 8 )\n        memcpy(to,", "casm/stream.c", "memcpy: precondition"),
        Mutant("a copy beyond the ring's end", "copying", "casm/stream.c", "    if ( len <= to_end )\n        memcpy((uint8_t",
               "    if ( len <= to_end + 8 )\n        memcpy((uint8_t", "casm/stream.c", "memcpy: precondition"),
        Mutant("more words than there is room for", "taking", "casm/stream.c", "uint64_t lw[CASM_WORDS_MAX] = {};", "uint64_t lw[2] = {};",
               "casm/stream.c", "out of bounds index"),
        Mutant("words that do not wrap", "putting", "casm/stream.c", "data[((pos += 8) & mask) >> 3] = w[i];", "data[(pos += 8) >> 3] = w[i];",
               "casm/stream.c", "out of bounds write|invalid pointer"),
    ),
)

# Guest virtual addresses and those of dom0 are numbers here, whatever type they have: they are never dereferenced.
ADDRESSES = ("-no-warn-invalid-pointer",)

END_FAULT = "END's blob is bounded by the largest there is"

CONSUMERS = Harness(
    name="consumers", what="casm_end.start_replay.answer.casm_bridge_replay.casm_inject_logged.casm_exit_work",
    files=tuple(CASM + file for file in ("control.c", "point.c", "stream.c", "bridge-glue.c", "queue.c", "values.c", "hypercall.c", "entry.c", "segments.c", "digest.c")),
    functions=("casm_end", "start_replay", "casm_domain_shutdown", "answer", "casm_tap", "casm_bridge_replay", "casm_console_report",
               "casm_bridges_up", "casm_bridges_down", "casm_inject_logged", "casm_set_pending", "log_tsc", "casm_log_msr",
               "casm_log_cpuid", "casm_count_entry", "check_branches", "casm_segments_step", "replay_here", "casm_digest_point"),
    includes=XEN_INCLUDES, defines=XEN_DEFINES,
    steps=tuple(Step(entry, slevel=100, split_return=(*FEED_SPLITS, "port_is_valid:0"), contracts=contracts, options=options,
                     slevels={name: 0 for name in ("casm_page_hash", "page_hash", "casm_page_is_zero")})
                for entry, contracts, options in (
                    ("ends", ("copy_in", "copy_out"), ()),
                    ("shutdowns", ("copy_in", "copy_out"), ()),
                    ("starts", ("copy_in", "copy_out"), ()),
                    ("ring_records", ("copy_in", "copy_out"), ()),
                    ("effects", ("copy_in", "copy_out"), ()),
                    ("pages", ("copy_in",), ("-eva-domains", "octagon")),
                    ("answers", ("copy_in", "copy_out"), ADDRESSES),
                    ("outputs", ("copy_in",), ADDRESSES),
                    ("values", ("copy_in",), ()),
                    ("entries", ("copy_in",), ()),
                    ("exits", ("copy_in", "copy_out"), ()),
                    ("digests", ("copy_in",), ()))),
    dead={"casm_digest_point": (3, "the few frames here are done in one step")},
    proved_in={"copy_in": "stream", "copy_out": "stream"},
    mutants=(
        # The fault of commit afe9435: a log's END of up to 4096 bytes, copied into 128 bytes on Xen's stack.
        Mutant(END_FAULT, "ends", "casm/stream.c", "!log.check || log.check > size ||", "!log.check || log.check > CASM_BLOB_MAX_BYTES ||",
               "casm/stream.c", r"copy_out: precondition \\valid"),
        Mutant("a page that there is not", "ring_records", "casm/bridge-glue.c",
               "next.kind < ARRAY_SIZE(c->bridge) ? c->bridge[next.kind].guest : NULL;", "c->bridge[next.kind].guest;",
               "casm/bridge-glue.c", "out of bounds index"),
        Mutant("a place that is not in the page", "ring_records", "casm/private.h",
               "    if ( offset >= PAGE_SIZE || len > PAGE_SIZE - offset )\n        return false;\n    for ( i = 0; i < len && offset < PAGE_SIZE;",
               "    for ( i = 0; i < len;", "casm/private.h", "out of bounds write"),
        Mutant("more output than the buffer holds", "answers", "casm/hypercall.c", "casm_take_blob(c, &out, &va, 1, buf, CASM_TAP_BYTES)",
               "casm_take_blob(c, &out, &va, 1, buf, CASM_BLOB_MAX_BYTES)", "casm/stream.c", "copy_out: precondition"),
        Mutant("any port", "effects", "casm/queue.c", "    if ( !port_is_valid(d, port) )\n        return;\n", "", "casm/queue.c", "valid_port"),
        Mutant("words of the stack in a divergence", "ends", "casm/point.c", "    lw[0] = w[0] = c->ordinal;", "    w[0] = c->ordinal;",
               "casm/stream.c", "uninitialized"),
    ),
    stubs={name: "the guest's memory, or dom0's: guest_memory.h" for name in ("copy_from_guest_pv", "copy_to_guest_pv", "raw_copy_to_guest")},
)

POINTS = Harness(
    name="points", what="casm_tp_entry.casm_tp_exit.casm_tp_leave", files=(CASM + "timepoint.c", CASM + "debugtrap.c"),
    functions=("match_begin", "replay_exit", "replay_point", "lost", "lost_near", "diverge", "remember", "describe", "observe", "mark",
               "arm", "disarm", "arm_overflow", "casm_tp_entry", "casm_tp_exit", "casm_tp_leave", "casm_break_on", "casm_break_off"),
    includes=XEN_INCLUDES, defines=XEN_DEFINES, sources=("core/casm_match.c", "core/casm_canon.c", "core/casm_insn.c"),
    steps=(
        Step("points", slevel=10, slevels={"points": 0}, split_return=(*FEED_SPLITS, "casm_match_begin:0", "check_target:0"),
             contracts=("copy_out",)),
    ),
    proved_in={"copy_out": "stream"},
    dead={"casm_tp_exit": (1, "recording"), "casm_tp_leave": (15, "recording")},
    mutants=(
        Mutant("a point whose words need not be there", "points", "casm/timepoint.c", "if ( !casm_peek_payload(c, ap.w, sizeof(ap.w), 8) ||",
               "if ( (casm_peek_payload(c, ap.w, sizeof(ap.w), 8), 0) ||", "casm/timepoint.c", "uninitialized"),
        Mutant("more of a point than there is room for", "points", "casm/timepoint.c",
               "casm_peek_payload(c, ap.state, sizeof(ap.state), 8 + sizeof(ap.w))", "casm_peek_payload(c, ap.state, sizeof(ap), 8 + sizeof(ap.w))",
               "casm/stream.c", "copy_out: precondition"),
        Mutant("a breakpoint register that is not ours", "points", "casm/debugtrap.c",
               "    unsigned int slot;\n\n    if ( tp->slot < 0 )\n        return;\n    slot = tp->slot;", "    unsigned int slot = tp->slot;\n",
               "casm/debugtrap.c", "out of bounds index"),
    ),
)

HARNESSES = {harness.name: harness for harness in (INSN, CANON, MATCH, BRIDGE, STREAM, CONSUMERS, POINTS)}


@dataclasses.dataclass(frozen=True)
class Canary:
    """A flaw that must be noticed, by this complaint."""
    harness: Harness
    complaint: str                             # regular expression


def _canary(complaint: str, *steps: Step, name: str = "canary", **more) -> Canary:
    return Canary(Harness(name=name, what="", files=more.pop("files", ()), steps=steps, **more), complaint)


CANARIES = {
    "nothing is wrong": _canary("", Step("sound")),
    "out of bounds": _canary("alarm: harness/canary.c: accessing out of bounds index", Step("out_of_bounds")),
    "memory that changes, read twice": _canary("alarm: harness/canary.c: accessing out of bounds index", Step("reads_twice", slevel=100)),
    "memory that changes, read twice, with relations":
        _canary("alarm: harness/canary.c: accessing out of bounds index", Step("reads_twice", slevel=100, options=("-eva-domains", "octagon"))),
    "memory that changes, what was stored": _canary("alarm: harness/canary.c: accessing out of bounds index", Step("believes_a_store", slevel=100)),
    "unknown": _canary("unknown: canary.c:.*user check", Step("unknown")),
    "no end": _canary("does not come to an end", Step("endless")),
    "no end, so its last statement is not reached": _canary("the end of endless is not reached", Step("endless")),
    "nothing behind a certain fault": _canary("the end of always_wrong is not reached", Step("always_wrong")),
    "a function without a body": _canary(r"nobody\(\) has no body, and is not listed", Step("no_body")),
    "a function that nobody declared": _canary("message: .*implicit-function-declaration", Step("undeclared"), name="canary_missing"),
    "an end that is not marked": _canary("the end of says_nothing_of_its_end is not reached", Step("says_nothing_of_its_end")),
    "a function that is not called": _canary(r"never_called\(\) of .* is not reached", Step("sound"),
                                             files=("proofs/frama-c/harness/canary.c",)),
    "a function that is left out, and analysed": _canary(r"sound\(\) is analysed, but listed as left out", Step("sound"),
                                                         files=("proofs/frama-c/harness/canary.c",), left_out={"sound": "why"}),
    "a function that is left out, and is not there": _canary(r"gone\(\) is listed, but is in none of the files", Step("sound"),
                                                             left_out={"gone": "why"}),
    "dead code": _canary(r"has_dead_code\(\): 1 statements are not reached, 0 are listed", Step("dead_code"),
                         files=("proofs/frama-c/harness/canary.c",)),
    "dead code that is not there": _canary(r"sound\(\): 0 statements are not reached, 1 are listed", Step("sound"),
                                           files=("proofs/frama-c/harness/canary.c",), dead={"sound": (1, "why")}),
    "a contract that does not hold": _canary(r"unknown: canary.c:.*postcondition", Step("promise", proves=("promises_too_much",))),
    "a contract that nobody proved": _canary(r"the contract of promises_too_much\(\) stands for it, but no step proves it",
                                             Step("relies_on_a_promise", contracts=("promises_too_much",))),
    "a contract that writes more than it says":
        _canary(r"the contract of writes_in_secret\(\) stands for it, but no step proves it",
                Step("secret", proves=("writes_in_secret",)), Step("relies_on_a_secret", contracts=("writes_in_secret",))),
    "a contract that is not used": _canary(r"the contract of promises_too_much\(\) is not used",
                                           Step("sound", contracts=("promises_too_much",))),
    "a hint without a place": _canary("hint: its text is 0 times in core/casm_insn.c", Step("sound"),
                                      hints=(Hint("core/casm_insn.c", "no such text", "//@ split n;"),)),
}
