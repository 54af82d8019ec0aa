; SPDX-License-Identifier: GPL-2.0-or-later
; Class init, detection: a replay in any state that accepts the record has the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun input.content.length () (_ BitVec 16))
(declare-fun input.offset () (_ BitVec 32))
; possible: what the recording side guarantees of inputs and keys
(assert (let ((a!1 (and (not (= input.content.length #x0000))
                (bvule input.content.length #x1000)
                (bvult input.offset #x00001000)
                (bvule (bvadd input.offset
                              ((_ zero_extend 16) input.content.length))
                       #x00001000))))
  (and a!1 a!1)))
; not the goal: detection
(assert (not true))
(check-sat)
