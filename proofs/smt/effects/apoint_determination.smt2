; SPDX-License-Identifier: GPL-2.0-or-later
; Class apoint, determination: two replays from the same state that accept records with the same values end in the same
; state, and the records have the same keys and compared values.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic QF_AUFBV)
(set-info :status unsat)
(declare-fun guest.boundary () (_ BitVec 8))
(declare-fun replay.assumes.one.kind () (_ BitVec 8))
(declare-fun replay.assumes.one.branches () (_ BitVec 64))
(declare-fun guest.branches () (_ BitVec 64))
(declare-fun replay.assumes.one.rip () (_ BitVec 64))
(declare-fun guest.rip () (_ BitVec 64))
(declare-fun replay.assumes.one.hash () (_ BitVec 64))
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
(declare-fun replay.assumes.one.state.length () (_ BitVec 16))
(declare-fun any-byte.state () (_ BitVec 16))
(declare-fun replay.assumes.one.state () (Array (_ BitVec 16) (_ BitVec 8)))
(declare-fun guest.last-branch () (_ BitVec 64))
(declare-fun replay.assumes.two.kind () (_ BitVec 8))
(declare-fun replay.assumes.two.branches () (_ BitVec 64))
(declare-fun replay.assumes.two.rip () (_ BitVec 64))
(declare-fun replay.assumes.two.hash () (_ BitVec 64))
(declare-fun replay.assumes.two.state.length () (_ BitVec 16))
(declare-fun replay.assumes.two.state () (Array (_ BitVec 16) (_ BitVec 8)))
(declare-fun guest.rbx () (_ BitVec 64))
(declare-fun guest.rdx () (_ BitVec 64))
(declare-fun guest.raised () (_ BitVec 1))
(declare-fun guest.msr-result () (_ BitVec 8))
(declare-fun guest.ended () (_ BitVec 1))
(declare-fun guest.entry-kind () (_ BitVec 8))
(declare-fun guest.entry-detail () (_ BitVec 32))
(declare-fun guest.ordinal () (_ BitVec 64))
(declare-fun guest.branches-total () (_ BitVec 64))
(declare-fun guest.memory-digest () (_ BitVec 64))
(declare-fun guest.frames () (_ BitVec 64))
(declare-fun guest.digest-due () (_ BitVec 8))
(declare-fun guest.end-reason () (_ BitVec 8))
(declare-fun guest.end-code () (_ BitVec 32))
(declare-fun guest.memory () (Array (_ BitVec 64) (_ BitVec 8)))
(declare-fun any-index.memory () (_ BitVec 64))
(declare-fun guest.console () (Array (_ BitVec 32) (_ BitVec 8)))
(declare-fun any-index.console () (_ BitVec 32))
(declare-fun guest.xenstore () (Array (_ BitVec 32) (_ BitVec 8)))
(declare-fun any-index.xenstore () (_ BitVec 32))
(declare-fun guest.shared-info () (Array (_ BitVec 32) (_ BitVec 8)))
(declare-fun any-index.shared-info () (_ BitVec 32))
(declare-fun guest.pending () (Array (_ BitVec 32) (_ BitVec 1)))
(declare-fun any-index.pending () (_ BitVec 32))
(declare-fun guest.applied () (Array (_ BitVec 16) (_ BitVec 8)))
(declare-fun any-index.applied () (_ BitVec 16))
(declare-fun guest.printed () (Array (_ BitVec 16) (_ BitVec 8)))
(declare-fun any-index.printed () (_ BitVec 16))
; possible: what the recording side guarantees of inputs and keys
(assert (or (= guest.boundary #x01) (= guest.boundary #x02)))
; not the goal: determination
(assert (let ((a!1 (concat guest.rsp
                   (concat guest.rcx
                           (ite (= guest.boundary #x01)
                                guest.last-branch
                                #x0000000000000000))))
      (a!4 (and (= replay.assumes.one.state.length
                   replay.assumes.two.state.length)
                (=> (bvult any-byte.state replay.assumes.one.state.length)
                    (= (select replay.assumes.one.state any-byte.state)
                       (select replay.assumes.two.state any-byte.state))))))
(let ((a!2 ((_ extract 7 0)
             (bvlshr a!1
                     (bvshl ((_ zero_extend 176) any-byte.state)
                            #x000000000000000000000000000000000000000000000003)))))
(let ((a!3 (and (= replay.assumes.one.kind guest.boundary)
                (= replay.assumes.one.branches guest.branches)
                (= replay.assumes.one.rip guest.rip)
                (= replay.assumes.one.hash
                   (mix guest.regs-hash guest.rip guest.rsp guest.rax guest.rcx))
                (= replay.assumes.one.state.length #x0018)
                (=> (bvult any-byte.state replay.assumes.one.state.length)
                    (= (select replay.assumes.one.state any-byte.state) a!2))
                (= replay.assumes.two.kind guest.boundary)
                (= replay.assumes.two.branches guest.branches)
                (= replay.assumes.two.rip guest.rip)
                (= replay.assumes.two.hash
                   (mix guest.regs-hash guest.rip guest.rsp guest.rax guest.rcx))
                (= replay.assumes.two.state.length #x0018)
                (=> (bvult any-byte.state replay.assumes.two.state.length)
                    (= (select replay.assumes.two.state any-byte.state) a!2)))))
(let ((a!5 (and true
                (=> a!3 (= replay.assumes.one.kind replay.assumes.two.kind))
                (=> a!3
                    (= replay.assumes.one.branches replay.assumes.two.branches))
                (=> a!3 (= replay.assumes.one.rip replay.assumes.two.rip))
                (=> a!3 (= replay.assumes.one.hash replay.assumes.two.hash))
                (=> a!3 a!4)
                (=> a!3 (= guest.rax guest.rax))
                (=> a!3 (= guest.rbx guest.rbx))
                (=> a!3 (= guest.rcx guest.rcx))
                (=> a!3 (= guest.rdx guest.rdx))
                (=> a!3 (= guest.rip guest.rip))
                (=> a!3 (= guest.rsp guest.rsp))
                (=> a!3 (= guest.raised guest.raised))
                (=> a!3 (= guest.msr-result guest.msr-result))
                (=> a!3 (= guest.ended guest.ended))
                (=> a!3 (= guest.entry-kind guest.entry-kind))
                (=> a!3 (= guest.entry-detail guest.entry-detail))
                (=> a!3 (= guest.ordinal guest.ordinal))
                (=> a!3
                    (= (mix guest.regs-hash
                            guest.rip
                            guest.rsp
                            guest.rax
                            guest.rcx)
                       (mix guest.regs-hash
                            guest.rip
                            guest.rsp
                            guest.rax
                            guest.rcx)))
                (=> a!3 (= guest.branches guest.branches))
                (=> a!3 (= guest.branches-total guest.branches-total))
                (=> a!3 (= guest.last-branch guest.last-branch))
                (=> a!3 (= guest.boundary guest.boundary))
                (=> a!3 (= guest.memory-digest guest.memory-digest))
                (=> a!3 (= guest.frames guest.frames))
                (=> a!3 (= guest.digest-due guest.digest-due))
                (=> a!3 (= guest.end-reason guest.end-reason))
                (=> a!3 (= guest.end-code guest.end-code))
                (=> a!3
                    (= (select guest.memory any-index.memory)
                       (select guest.memory any-index.memory)))
                (=> a!3
                    (= (select guest.console any-index.console)
                       (select guest.console any-index.console)))
                (=> a!3
                    (= (select guest.xenstore any-index.xenstore)
                       (select guest.xenstore any-index.xenstore)))
                (=> a!3
                    (= (select guest.shared-info any-index.shared-info)
                       (select guest.shared-info any-index.shared-info)))
                (=> a!3
                    (= (select guest.pending any-index.pending)
                       (select guest.pending any-index.pending)))
                (=> a!3
                    (= (select guest.applied any-index.applied)
                       (select guest.applied any-index.applied)))
                (=> a!3
                    (= (select guest.printed any-index.printed)
                       (select guest.printed any-index.printed))))))
  (not a!5))))))
(check-sat)
