; SPDX-License-Identifier: GPL-2.0-or-later
; Class digest, detection: a replay in any state that accepts the record has the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun guest.digest-due () (_ BitVec 8))
(declare-fun other.digest-due () (_ BitVec 8))
(declare-fun guest.ordinal () (_ BitVec 64))
(declare-fun other.ordinal () (_ BitVec 64))
(declare-fun guest.frames () (_ BitVec 64))
(declare-fun other.frames () (_ BitVec 64))
(declare-fun guest.memory-digest () (_ BitVec 64))
(declare-fun other.memory-digest () (_ BitVec 64))
; possible: what the recording side guarantees of inputs and keys
(assert (and true true))
; not the goal: detection
(assert (let ((a!1 (and (= guest.digest-due other.digest-due)
                (= guest.ordinal other.ordinal)
                (= guest.frames other.frames)
                (= guest.memory-digest other.memory-digest))))
  (not (and true
            (=> a!1 (= guest.digest-due other.digest-due))
            (=> a!1 (= guest.ordinal other.ordinal))
            (=> a!1 (= guest.frames other.frames))
            (=> a!1 (= guest.memory-digest other.memory-digest))))))
(check-sat)
