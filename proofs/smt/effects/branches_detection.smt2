; SPDX-License-Identifier: GPL-2.0-or-later
; Class branches, detection: a replay in any state that accepts the record has the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun column.total.before () (_ BitVec 64))
(declare-fun guest.branches-total () (_ BitVec 64))
(declare-fun other.branches-total () (_ BitVec 64))
; possible: what the recording side guarantees of inputs and keys
(assert (and true true))
; not the goal: detection
(assert (let ((a!1 (bvxor (bvshl (bvsub guest.branches-total column.total.before)
                         #x0000000000000001)
                  (bvsub (bvsub (bvsub guest.branches-total column.total.before)
                                (bvsub guest.branches-total column.total.before))
                         (bvlshr (bvsub guest.branches-total
                                        column.total.before)
                                 #x000000000000003f)))))
(let ((a!2 (bvadd column.total.before
                  (bvxor (bvlshr a!1 #x0000000000000001)
                         (bvsub (bvsub a!1 a!1) (bvand a!1 #x0000000000000001))))))
(let ((a!3 (=> (= ((_ extract 63 0) a!2) other.branches-total)
               (and (= guest.branches-total other.branches-total)
                    (= guest.branches-total ((_ extract 63 0) a!2))))))
  (not (and true a!3))))))
(check-sat)
