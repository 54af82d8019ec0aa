; SPDX-License-Identifier: GPL-2.0-or-later
; Class digest, detection: a replay in any state that accepts the record has the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun guest.digest-due () (_ BitVec 8))
(declare-fun other.digest-due () (_ BitVec 8))
(declare-fun column.ordinal.before () (_ BitVec 64))
(declare-fun guest.ordinal () (_ BitVec 64))
(declare-fun other.ordinal () (_ BitVec 64))
(declare-fun column.frames.before () (_ BitVec 64))
(declare-fun guest.frames () (_ BitVec 64))
(declare-fun other.frames () (_ BitVec 64))
(declare-fun guest.memory-digest () (_ BitVec 64))
(declare-fun other.memory-digest () (_ BitVec 64))
; possible: what the recording side guarantees of inputs and keys
(assert (and true true))
; not the goal: detection
(assert (let ((a!1 (bvxor (bvshl (bvsub guest.ordinal column.ordinal.before)
                         #x0000000000000001)
                  (bvsub (bvsub (bvsub guest.ordinal column.ordinal.before)
                                (bvsub guest.ordinal column.ordinal.before))
                         (bvlshr (bvsub guest.ordinal column.ordinal.before)
                                 #x000000000000003f))))
      (a!3 (bvxor (bvshl (bvsub guest.frames column.frames.before)
                         #x0000000000000001)
                  (bvsub (bvsub (bvsub guest.frames column.frames.before)
                                (bvsub guest.frames column.frames.before))
                         (bvlshr (bvsub guest.frames column.frames.before)
                                 #x000000000000003f)))))
(let ((a!2 (bvadd column.ordinal.before
                  (bvxor (bvlshr a!1 #x0000000000000001)
                         (bvsub (bvsub a!1 a!1) (bvand a!1 #x0000000000000001)))))
      (a!4 (bvadd column.frames.before
                  (bvxor (bvlshr a!3 #x0000000000000001)
                         (bvsub (bvsub a!3 a!3) (bvand a!3 #x0000000000000001))))))
(let ((a!5 (and (= guest.digest-due other.digest-due)
                (= ((_ extract 63 0) a!2) other.ordinal)
                (= ((_ extract 63 0) a!4) other.frames)
                (= guest.memory-digest other.memory-digest))))
(let ((a!6 (=> a!5
               (and (= guest.ordinal other.ordinal)
                    (= guest.ordinal ((_ extract 63 0) a!2)))))
      (a!7 (=> a!5
               (and (= guest.frames other.frames)
                    (= guest.frames ((_ extract 63 0) a!4))))))
(let ((a!8 (and true
                (=> a!5
                    (and (= guest.digest-due other.digest-due)
                         (= guest.digest-due guest.digest-due)))
                a!6
                a!7
                (=> a!5
                    (and (= guest.memory-digest other.memory-digest)
                         (= guest.memory-digest guest.memory-digest))))))
  (not a!8)))))))
(check-sat)
