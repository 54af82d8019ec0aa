(* SPDX-License-Identifier: GPL-2.0-or-later *)
(* The conditions C1 to C6, each a predicate over an arbitrary pair of systems, so that each can be dropped. *)
From Coq Require Import List.
Import ListNotations.
From CASMotion Require Import Log Machine.

(* C1, same initial state. *)
Definition C1 {w : world} (s0 s0' : state w) : Prop := s0 = s0'.

(* C2, no hidden input: what the guest's next instruction does, and whether it enters Xen at all, is a function of what the
   guest can see, and the same one in both systems. *)
Definition C2 {w} (r : recorder w) (p : replayer w) : Prop :=
  forall s h h', r_next r s h = p_next p s h'.

(* C3, completeness: each synchronous step and each effect leaves exactly one record, stamped with its place, and what the
   record carries is all that the step reads besides the guest's state: the replay gets to the same state with it, whatever
   is hidden then. *)
Definition C3_sync {w} (r : recorder w) (p : replayer w) : Prop :=
  forall t s h v, exists x,
    r_write_sync r t s h v = [Entry t (Sync x)] /\ forall h', p_sync p s h' x = r_sync r s h v.
Definition C3_async {w} (r : recorder w) (p : replayer w) : Prop :=
  forall t s h e, exists x,
    r_write_async r t s h e = [Entry t (Async x)] /\ forall h', p_async p s h' x = r_async r s h e.
Definition C3 {w} (r : recorder w) (p : replayer w) : Prop := C3_sync r p /\ C3_async r p.

(* C4, injectivity: in no execution of the recorder do two boundaries have the same name. (Effects may share a
   boundary, if its name is still good after the first; their order is then the log's.) *)
Definition reaches {w} {N : naming w} (r : recorder w) (c : config N) (script : list (choice w)) (c' : config N) : Prop :=
  exists es l, record_run N r script c = Some (c', es, l).
Definition moves {w} (script : list (choice w)) : Prop := exists q h v, In (Go q h v) script.
Definition C4 {w} (N : naming w) (r : recorder w) (s0 : state w) : Prop :=
  forall before c1 between c2 t,
    reaches r (start N s0) before c1 -> reaches r c1 between c2 -> moves between ->
    here c1 = Some t -> here c2 <> Some t.

(* C5, exclusivity and order: between steps nothing changes the guest's state, in either system, and what the vCPU wrote is
   what the replay reads, in this order. *)
Definition C5_record {w} (r : recorder w) : Prop := forall s q, r_quiet r s q = s.
Definition C5_replay {w} (p : replayer w) : Prop := forall s q, p_quiet p s q = s.
Definition C5_order {w} (r : recorder w) : Prop := forall l, r_carry r l = l.
Definition C5 {w} (r : recorder w) (p : replayer w) : Prop := C5_record r /\ C5_replay p /\ C5_order r.

(* C6, matching: the replay stops for the next effect, or for the end, at a boundary with the name that the log says, and
   runs on everywhere else. It may look at names only. Without a record left it goes no further than the next injection
   point. *)
Definition is_here {w} (b : option (point w)) (t : point w) : bool :=
  match b with
  | None => false
  | Some t' => if point_dec w t' t then true else false
  end.
Definition matching {w} (b : option (point w)) (l : log w) : decision :=
  match l with
  | Entry t (Async _) :: _ => if is_here b t then Inject else LetRun
  | Entry t End :: _ => if is_here b t then Stop else LetRun
  | Entry _ (Sync _) :: _ => LetRun
  | [] => match b with None => LetRun | Some _ => Stop end
  end.
Definition C6 {w} (p : replayer w) : Prop := forall h b l, p_decide p h b l = matching b l.

(* All of them. *)
Definition sufficient {w} (N : naming w) (r : recorder w) (p : replayer w) (s0 s0' : state w) : Prop :=
  C1 s0 s0' /\ C2 r p /\ C3 r p /\ C4 N r s0 /\ C5 r p /\ C6 p.

(* What they are sufficient for: whatever the environment did to the recording and whatever is hidden from the replay, the
   replay goes through the same steps and the same states, uses up the log exactly, and ends at the same step. *)
Definition equivalent {w} (N : naming w) (r : recorder w) (p : replayer w) (s0 s0' : state w) : Prop :=
  forall script q es l, recording N r s0 script q = Some (es, l) ->
  forall hs, length script < length hs -> replaying N p s0' hs l = (es, AtEnd []).
