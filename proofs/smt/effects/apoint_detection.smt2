; SPDX-License-Identifier: GPL-2.0-or-later
; Class apoint, detection: a replay in any state that accepts the record has the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun guest.boundary () (_ BitVec 8))
(declare-fun other.boundary () (_ BitVec 8))
(declare-fun guest.branches () (_ BitVec 64))
(declare-fun other.branches () (_ BitVec 64))
(declare-fun column.rip.before () (_ BitVec 64))
(declare-fun guest.rip () (_ BitVec 64))
(declare-fun other.rip () (_ BitVec 64))
(declare-fun guest.regs-hash () (_ BitVec 64))
(declare-fun guest.rsp () (_ BitVec 64))
(declare-fun guest.rax () (_ BitVec 64))
(declare-fun guest.rcx () (_ BitVec 64))
(declare-fun mix
             ((_ BitVec 64)
              (_ BitVec 64)
              (_ BitVec 64)
              (_ BitVec 64)
              (_ BitVec 64))
             (_ BitVec 64))
(declare-fun other.regs-hash () (_ BitVec 64))
(declare-fun other.rsp () (_ BitVec 64))
(declare-fun other.rax () (_ BitVec 64))
(declare-fun other.rcx () (_ BitVec 64))
(declare-fun any-byte.state () (_ BitVec 16))
(declare-fun guest.last-branch () (_ BitVec 64))
(declare-fun other.last-branch () (_ BitVec 64))
; possible: what the recording side guarantees of inputs and keys
(assert (and (or (= guest.boundary #x01) (= guest.boundary #x02))
     (or (= other.boundary #x01) (= other.boundary #x02))))
; not the goal: detection
(assert (let ((a!1 (bvxor (bvshl (bvsub guest.rip column.rip.before) #x0000000000000001)
                  (bvsub (bvsub (bvsub guest.rip column.rip.before)
                                (bvsub guest.rip column.rip.before))
                         (bvlshr (bvsub guest.rip column.rip.before)
                                 #x000000000000003f))))
      (a!3 (= (mix guest.regs-hash guest.rip guest.rsp guest.rax guest.rcx)
              (mix other.regs-hash other.rip other.rsp other.rax other.rcx)))
      (a!4 (concat guest.rsp
                   (concat guest.rcx
                           (ite (= guest.boundary #x01)
                                guest.last-branch
                                #x0000000000000000))))
      (a!6 (concat other.rsp
                   (concat other.rcx
                           (ite (= other.boundary #x01)
                                other.last-branch
                                #x0000000000000000)))))
(let ((a!2 (bvadd column.rip.before
                  (bvxor (bvlshr a!1 #x0000000000000001)
                         (bvsub (bvsub a!1 a!1) (bvand a!1 #x0000000000000001)))))
      (a!5 ((_ extract 7 0)
             (bvlshr a!4
                     (bvshl ((_ zero_extend 176) any-byte.state)
                            #x000000000000000000000000000000000000000000000003))))
      (a!7 ((_ extract 7 0)
             (bvlshr a!6
                     (bvshl ((_ zero_extend 176) any-byte.state)
                            #x000000000000000000000000000000000000000000000003)))))
(let ((a!8 (and (= #x0018 #x0018)
                (=> (bvult any-byte.state #x0018) (= a!5 a!7)))))
(let ((a!9 (and (= guest.boundary other.boundary)
                (= guest.branches other.branches)
                (= ((_ extract 63 0) a!2) other.rip)
                a!3
                a!8)))
(let ((a!10 (=> a!9
                (and (= guest.rip other.rip)
                     (= guest.rip ((_ extract 63 0) a!2)))))
      (a!11 (=> a!9
                (and a!3
                     (= (mix guest.regs-hash
                             guest.rip
                             guest.rsp
                             guest.rax
                             guest.rcx)
                        (mix guest.regs-hash
                             guest.rip
                             guest.rsp
                             guest.rax
                             guest.rcx))))))
(let ((a!12 (and true
                 (=> a!9
                     (and (= guest.boundary other.boundary)
                          (= guest.boundary guest.boundary)))
                 (=> a!9
                     (and (= guest.branches other.branches)
                          (= guest.branches guest.branches)))
                 a!10
                 a!11
                 (=> a!9 a!8))))
  (not a!12))))))))
(check-sat)
