; SPDX-License-Identifier: GPL-2.0-or-later
; If the invariant holds, it holds after one step of both systems: whatever the guest's instruction or the
; effect is, recording and replay are in the same state, at the same time point, at the same record, and
; both have ended or none.
; 
; The assumptions and the negated goal: unsat means proved.
(set-logic UFBV)
(set-info :status unsat)
(declare-sort State 0)
(declare-sort Hidden 0)
(declare-sort Payload 0)
(declare-fun record.state () State)
(declare-fun replay.state () State)
(declare-fun record.position () (_ BitVec 64))
(declare-fun replay.position () (_ BitVec 64))
(declare-fun record.n () (_ BitVec 64))
(declare-fun replay.n () (_ BitVec 64))
(declare-fun record.b () (_ BitVec 64))
(declare-fun replay.b () (_ BitVec 64))
(declare-fun record.point () Bool)
(declare-fun replay.point () Bool)
(declare-fun record.index () (_ BitVec 64))
(declare-fun replay.index () (_ BitVec 64))
(declare-fun record.halted () Bool)
(declare-fun replay.halted () Bool)
(declare-fun recording.name.n ((_ BitVec 64)) (_ BitVec 64))
(declare-fun recording.name.b ((_ BitVec 64)) (_ BitVec 64))
(declare-fun recording.injectable ((_ BitVec 64)) Bool)
(declare-fun recording.where ((_ BitVec 64)) (_ BitVec 64))
(declare-fun log.kind ((_ BitVec 64)) (_ BitVec 2))
(declare-fun record.hidden () Hidden)
(declare-fun enters (State Hidden) Bool)
(declare-fun counted (State Hidden) Bool)
(declare-fun boundary (State) Bool)
(declare-fun log.time.n ((_ BitVec 64)) (_ BitVec 64))
(declare-fun log.time.b ((_ BitVec 64)) (_ BitVec 64))
(declare-fun run (State Hidden) State)
(declare-fun entry (State Payload Hidden) State)
(declare-fun effect (State Payload Hidden) State)
(declare-fun recording.payload ((_ BitVec 64)) Payload)
(declare-fun log.payload ((_ BitVec 64)) Payload)
(declare-fun replay.reads ((_ BitVec 64)) (_ BitVec 64))
(declare-fun record.rogue () Bool)
(declare-fun replay.rogue () Bool)
(declare-fun branches (State) Bool)
(declare-fun replay.stops () Bool)
(declare-fun record.rogue.state () State)
(declare-fun record.unrecorded () Payload)
(declare-fun replay.rogue.state () State)
(declare-fun replay.hidden () Hidden)
; invariant: both are in the same state, at the same time point, at the same record
(assert (and (= record.state replay.state)
     (= record.position replay.position)
     (= record.n replay.n)
     (= record.b replay.b)
     (= record.point replay.point)
     (= record.index replay.index)
     (= record.halted replay.halted)
     (= (recording.name.n record.position) record.n)
     (= (recording.name.b record.position) record.b)
     (= (recording.injectable record.position) record.point)
     (or record.halted (bvule record.position (recording.where record.index)))))
; written: the log is the recording's (what that means is in model/machine/product.h)
(assert (let ((a!1 (or record.halted
               (and (= (recording.where record.index) record.position)
                    (= (log.kind record.index) #b01))
               (and (= (recording.where record.index) record.position)
                    (= (log.kind record.index) #b10))))
      (a!6 (and (recording.injectable (recording.where record.index))
                (= (log.time.n record.index)
                   (recording.name.n (recording.where record.index)))
                (= (log.time.b record.index)
                   (recording.name.b (recording.where record.index)))))
      (a!8 (or (= (log.kind record.index) #b00)
               (or (= (log.kind record.index) #b01)
                   (= (log.kind record.index) #b10))))
      (a!9 (=> (and (not record.halted)
                    (= (recording.where record.index) record.position)
                    (= (log.kind record.index) #b00))
               (enters record.state record.hidden)))
      (a!10 (=> (= (log.kind record.index) #b00)
                (bvult (recording.where record.index)
                       (recording.where (bvadd record.index #x0000000000000001))))))
(let ((a!2 (= (recording.name.n (ite a!1
                                     record.position
                                     (bvadd record.position #x0000000000000001)))
              (ite a!1
                   record.n
                   (ite (enters record.state record.hidden)
                        (bvadd record.n #x0000000000000001)
                        record.n))))
      (a!3 (ite a!1
                record.b
                (ite (enters record.state record.hidden)
                     #x0000000000000000
                     (ite (counted record.state record.hidden)
                          (bvadd record.b #x0000000000000001)
                          record.b))))
      (a!5 (= (recording.injectable
                (ite a!1
                     record.position
                     (bvadd record.position #x0000000000000001)))
              (ite a!1
                   record.point
                   (or (enters record.state record.hidden)
                       (boundary record.state)))))
      (a!7 (=> (or (= (log.kind record.index) #b01)
                   (= (log.kind record.index) #b10))
               a!6)))
(let ((a!4 (= (recording.name.b (ite a!1
                                     record.position
                                     (bvadd record.position #x0000000000000001)))
              a!3)))
  (and (bvult record.position #xffffffffffffffff)
       (bvult record.n #xffffffffffffffff)
       (bvult record.b #xffffffffffffffff)
       a!2
       a!4
       a!5
       a!7
       a!8
       a!9
       (bvule (recording.where record.index)
              (recording.where (bvadd record.index #x0000000000000001)))
       a!10)))))
; C2: What the guest's own instructions do, and whether they enter Xen, depends on guest-visible state only.
(assert (let ((a!1 (forall ((any0.State State)
                    (any1.Hidden Hidden)
                    (any2.Hidden Hidden))
             (and (= (run any0.State any1.Hidden) (run any0.State any2.Hidden))
                  (= (enters any0.State any1.Hidden)
                     (enters any0.State any2.Hidden))))))
  (and a!1 true)))
; C3: Every entry leaves a record, and the record of a step or effect carries all that it reads besides the guest's state.
(assert (let ((a!1 (forall ((any0.State State)
                    (any1.Payload Payload)
                    (any2.Hidden Hidden)
                    (any3.Hidden Hidden))
             (and (= (entry any0.State any1.Payload any2.Hidden)
                     (entry any0.State any1.Payload any3.Hidden))
                  (= (effect any0.State any1.Payload any2.Hidden)
                     (effect any0.State any1.Payload any3.Hidden)))))
      (a!2 (and (= (recording.where record.index) record.position)
                (or (= (log.kind record.index) #b01)
                    (= (log.kind record.index) #b10)))))
(let ((a!3 (=> (and (not record.halted)
                    (not a!2)
                    (enters record.state record.hidden))
               (and (= (recording.where record.index) record.position)
                    (= (log.kind record.index) #b00)))))
  (and a!1
       (forall ((any0.bv (_ BitVec 64)))
         (= (recording.payload any0.bv) (log.payload any0.bv)))
       a!3))))
; C4: No two places of an execution where effects may be applied have the same time point.
(assert (let ((a!1 (forall ((any0.bv (_ BitVec 64)) (any1.bv (_ BitVec 64)))
             (let ((a!1 (not (and (= (recording.name.n any0.bv)
                                     (recording.name.n any1.bv))
                                  (= (recording.name.b any0.bv)
                                     (recording.name.b any1.bv))))))
               (=> (and (bvult any0.bv any1.bv)
                        (recording.injectable any0.bv)
                        (recording.injectable any1.bv))
                   a!1)))))
  (and a!1 true)))
; C5: Nothing but logged effects changes the state between steps, and the replay applies them in the order of the log.
(assert (and (forall ((any0.bv (_ BitVec 64))) (= (replay.reads any0.bv) any0.bv))
     (not record.rogue)
     (not replay.rogue)))
; C6: The counter counts exactly the conditional branches, and the replay stops for a record exactly where the time point that the record names is its own.
(assert (let ((a!1 (and replay.point
                (= (log.time.n (replay.reads replay.index)) replay.n)
                (= (log.time.b (replay.reads replay.index)) replay.b))))
  (and (forall ((any0.State State) (any1.Hidden Hidden))
         (= (counted any0.State any1.Hidden) (branches any0.State)))
       (= replay.stops a!1))))
; not the goal: the invariant after the step
(assert (let ((a!1 (or record.halted
               (and (= (recording.where record.index) record.position)
                    (= (log.kind record.index) #b10))))
      (a!2 (effect record.state
                   (ite (= (recording.where record.index) record.position)
                        (recording.payload record.index)
                        record.unrecorded)
                   record.hidden))
      (a!3 (entry record.state
                  (ite (= (recording.where record.index) record.position)
                       (recording.payload record.index)
                       record.unrecorded)
                  record.hidden))
      (a!5 (and replay.stops (= (log.kind (replay.reads replay.index)) #b10)))
      (a!6 (and replay.stops (= (log.kind (replay.reads replay.index)) #b01)))
      (a!7 (ite (enters replay.state replay.hidden)
                (entry replay.state
                       (log.payload (replay.reads replay.index))
                       replay.hidden)
                (run replay.state replay.hidden)))
      (a!9 (or (and (= (recording.where record.index) record.position)
                    (= (log.kind record.index) #b01))
               (and (= (recording.where record.index) record.position)
                    (= (log.kind record.index) #b10)))))
(let ((a!4 (ite (and (= (recording.where record.index) record.position)
                     (= (log.kind record.index) #b01))
                a!2
                (ite (enters record.state record.hidden)
                     a!3
                     (run record.state record.hidden))))
      (a!8 (ite a!6
                (effect replay.state
                        (log.payload (replay.reads replay.index))
                        replay.hidden)
                a!7))
      (a!10 (= (ite (or record.halted a!9)
                    record.position
                    (bvadd record.position #x0000000000000001))
               (ite (or replay.halted (or a!6 a!5))
                    replay.position
                    (bvadd replay.position #x0000000000000001))))
      (a!11 (ite (or record.halted a!9)
                 record.n
                 (ite (enters record.state record.hidden)
                      (bvadd record.n #x0000000000000001)
                      record.n)))
      (a!13 (ite (or record.halted a!9)
                 record.b
                 (ite (enters record.state record.hidden)
                      #x0000000000000000
                      (ite (counted record.state record.hidden)
                           (bvadd record.b #x0000000000000001)
                           record.b))))
      (a!14 (ite (or replay.halted (or a!6 a!5))
                 replay.b
                 (ite (enters replay.state replay.hidden)
                      #x0000000000000000
                      (ite (counted replay.state replay.hidden)
                           (bvadd replay.b #x0000000000000001)
                           replay.b))))
      (a!15 (ite (or record.halted a!9)
                 record.point
                 (or (enters record.state record.hidden)
                     (boundary record.state))))
      (a!17 (or a!9
                (and (enters record.state record.hidden)
                     (= (recording.where record.index) record.position)
                     (= (log.kind record.index) #b00))))
      (a!18 (ite (or (or a!6 a!5)
                     (and (enters replay.state replay.hidden) true))
                 (bvadd replay.index #x0000000000000001)
                 replay.index)))
(let ((a!12 (= a!11
               (ite (or replay.halted (or a!6 a!5))
                    replay.n
                    (ite (enters replay.state replay.hidden)
                         (bvadd replay.n #x0000000000000001)
                         replay.n))))
      (a!16 (= a!15
               (ite (or replay.halted (or a!6 a!5))
                    replay.point
                    (or (enters replay.state replay.hidden)
                        (boundary replay.state)))))
      (a!19 (= (ite record.halted
                    record.index
                    (ite a!17
                         (bvadd record.index #x0000000000000001)
                         record.index))
               (ite replay.halted replay.index a!18)))
      (a!20 (= (recording.name.n (ite (or record.halted a!9)
                                      record.position
                                      (bvadd record.position #x0000000000000001)))
               a!11))
      (a!21 (= (recording.name.b (ite (or record.halted a!9)
                                      record.position
                                      (bvadd record.position #x0000000000000001)))
               a!13))
      (a!22 (= (recording.injectable
                 (ite (or record.halted a!9)
                      record.position
                      (bvadd record.position #x0000000000000001)))
               a!15))
      (a!23 (recording.where (ite record.halted
                                  record.index
                                  (ite a!17
                                       (bvadd record.index #x0000000000000001)
                                       record.index)))))
(let ((a!24 (or a!1
                (bvule (ite (or record.halted a!9)
                            record.position
                            (bvadd record.position #x0000000000000001))
                       a!23))))
(let ((a!25 (and (= (ite a!1
                         record.state
                         (ite record.rogue record.rogue.state a!4))
                    (ite (or replay.halted a!5)
                         replay.state
                         (ite replay.rogue replay.rogue.state a!8)))
                 a!10
                 a!12
                 (= a!13 a!14)
                 a!16
                 a!19
                 (= a!1 (or replay.halted a!5))
                 a!20
                 a!21
                 a!22
                 a!24)))
  (not a!25)))))))
(check-sat)
