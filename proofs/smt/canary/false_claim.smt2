; SPDX-License-Identifier: GPL-2.0-or-later
; Not a proof. This file claims to be unsat and is not: a checker that agrees with it is broken.
(set-logic QF_BV)
(set-info :status unsat)
(declare-fun x () (_ BitVec 8))
(assert (= (bvand x #x0f) #x05))
(check-sat)
