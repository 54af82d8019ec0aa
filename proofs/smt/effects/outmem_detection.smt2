; SPDX-License-Identifier: GPL-2.0-or-later
; Class outmem, detection: a replay in any state that accepts the record has the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun input.written.length () (_ BitVec 16))
; possible: what the recording side guarantees of inputs and keys
(assert (and (and (not (= input.written.length #x0000))
          (bvule input.written.length #x1000))
     (and (not (= input.written.length #x0000))
          (bvule input.written.length #x1000))))
; not the goal: detection
(assert (not true))
(check-sat)
