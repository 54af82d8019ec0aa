(* SPDX-License-Identifier: GPL-2.0-or-later *)
(* When a name may come back: delivery at the FIRST boundary that has the name.

   It is harmless if equal names mean equal full states, because equal full states have equal futures: the replay leaves out
   laps in which nothing but instructions of the guest happened, and is the same in everything else. Names by (b, RIP,
   registers) do not have that property (TimePoints.v, Loop); a digest of the memory tells when it is missing. *)
From Coq Require Import List Arith Lia.
Import ListNotations.
From CASMotion Require Import Log Machine Conditions Sufficiency.

(* C4, weakened: boundaries with one name are one configuration (state, counters and name). *)
Definition C4_states {w} (N : naming w) (r : recorder w) (s0 : state w) : Prop :=
  forall before c1 between c2 t,
    reaches r (start N s0) before c1 -> reaches r c1 between c2 -> moves between ->
    here c1 = Some t -> here c2 = Some t -> c1 = c2.

Lemma C4_is_stronger : forall (w : world) (N : naming w) (r : recorder w) s0, C4 N r s0 -> C4_states N r s0.
Proof. intros w N r s0 I b1 c1 b2 c2 t R1 R2 M B1 B2. destruct (I b1 c1 b2 c2 t R1 R2 M B1 B2). Qed.

(* Everything but the guest's own instructions: entries, effects, the end, with the states that they led to. *)
Definition landmarks {w : world} (es : trace w) : trace w :=
  filter (fun e => match fst e with Ran => false | Entered | Injected | Ended => true end) es.

Lemma no_landmarks : forall (w : world) (es1 es2 : trace w), all_ran es1 -> landmarks (es1 ++ es2) = landmarks es2.
Proof.
  intros w es1 es2 A. induction A as [|[k s] es1 E A IH]; [reflexivity|]. simpl in *. subst k. exact IH.
Qed.

Lemma first_match_follows : forall (w : world) (N : naming w) (r : recorder w) (p : replayer w) (s0 : state w),
  C2 r p -> C3 r p -> C4_states N r s0 -> C5 r p -> C6 p ->
  forall n script before (c : config N) q es l hs,
    length script < n ->
    reaches r (start N s0) before c ->
    record_from N r script q c = Some (es, l) ->
    length script < length hs ->
    exists es', replay_run N p hs c l = (es', AtEnd []) /\ landmarks es' = landmarks es.
Proof.
  intros w N r p s0 H2 H3 H4 H5 H6.
  induction n as [|n IH]; intros script before c q es l hs Bound R F Len; [lia|].
  destruct script as [|ch script].
  { exists es. split; [eapply replay_end; eauto|reflexivity]. }
  simpl in Bound, Len.
  apply record_from_inv in F. destruct F as (c1 & e & l1 & es' & ls' & S & F & -> & ->).
  assert (R1 : reaches r (start N s0) (before ++ [ch]) c1).
  { eapply reaches_trans; [exact R|]. eapply reaches_step; [exact S|apply reaches_nothing]. }
  assert (D : (l1 = [] -> matching (here c) ls' = LetRun) \/ (l1 = [] /\ exists t x rest,
              ls' = x :: rest /\ names_place t x /\ here c = Some t)).
  { destruct l1; [|left; discriminate].
    destruct ls' as [|x ls']; [exfalso; exact (whole_log_not_empty _ _ _ _ _ _ _ F)|].
    destruct x as [t [y|y|]].
    - left. reflexivity.
    - destruct (here c) as [t'|]; [|left; reflexivity].
      destruct (point_dec w t' t) as [->|Ne]; [right; split; [reflexivity|]; repeat eexists|].
      left. intros _. simpl. destruct (point_dec w t' t); [contradiction|reflexivity].
    - destruct (here c) as [t'|]; [|left; reflexivity].
      destruct (point_dec w t' t) as [->|Ne]; [right; split; [reflexivity|]; repeat eexists|].
      left. intros _. simpl. destruct (point_dec w t' t); [contradiction|reflexivity]. }
  destruct D as [On | (-> & t & x & rest & -> & P & B)].
  - (* the replay does the same *)
    destruct hs as [|hh hs]; simpl in Len; [lia|].
    destruct (IH script (before ++ [ch]) c1 q es' ls' hs) as (es2 & E1 & E2); [lia|exact R1|exact F|lia|].
    exists (e :: es2). cbn [replay_run]. rewrite (replay_one w N r p H2 H3 H5 H6 ch c c1 e l1 ls' hh S On), E1.
    split; [reflexivity|]. unfold landmarks in *. simpl. destruct (fst e); congruence.
  - (* it stops too early, by the name; but then it is in the right state *)
    destruct (silent_step w N r p H3 ch c c1 e S) as [Run Mv].
    destruct (head_of_log w N r p H3 _ _ _ _ _ _ _ F P) as (b2 & more & c' & e1 & e2 & -> & R2 & B2 & A & F2 & ->).
    assert (R3 : reaches r c (ch :: b2) c') by (eapply reaches_step; [exact S|exists e1, []; exact R2]).
    assert (Same : c = c').
    { refine (H4 before c (ch :: b2) c' t R R3 _ B B2).
      destruct Mv as (qq & h & v & [E|[]]). exists qq, h, v. left. exact E. }
    subst c'. rewrite app_length in *.
    destruct (IH more before c q e2 (x :: rest) hs) as (es2 & E1 & E2); [lia|exact R|exact F2|lia|].
    exists es2. split; [exact E1|]. rewrite E2. symmetry.
    change (e :: e1 ++ e2) with ((e :: e1) ++ e2). apply no_landmarks. constructor; assumption.
Qed.

(* The replay enters Xen at the same states, gets the same effects at the same states, uses up the log exactly, and ends in
   the same state. *)
Theorem first_match_harmless : forall (w : world) (N : naming w) (r : recorder w) (p : replayer w) (s0 s0' : state w),
  C1 s0 s0' -> C2 r p -> C3 r p -> C4_states N r s0 -> C5 r p -> C6 p ->
  forall script q es l, recording N r s0 script q = Some (es, l) ->
  forall hs, length script < length hs ->
  exists es', replaying N p s0' hs l = (es', AtEnd []) /\ landmarks es' = landmarks es.
Proof.
  intros w N r p s0 s0' H1 H2 H3 H4 H5 H6 script q es l Rec hs Len.
  unfold recording in Rec. destruct (record_from N r script q (start N s0)) as [[es' l']|] eqn:F; [|discriminate].
  inversion Rec; subst. destruct H5 as (Hrq & Hpq & Ho). rewrite Ho. unfold C1 in H1. subst s0'.
  unfold replaying. eapply first_match_follows; eauto using reaches_nothing. unfold C5; auto.
Qed.

(* --- The memory digest --- *)

(* A place named by (n, b), the registers and a digest of the rest of the state. It may be used once: effects that strike
   together are one effect (see Minimality.v for what happens otherwise). *)
Section Digest.
  Variables Registers Memory Hash Hidden Value Effect Payload : Type.
  Variable digest : Memory -> Hash.
  Variable branch : Registers * Memory -> bool.

  Definition digest_point := (nat * nat * Registers * Hash)%type.
  Variable digest_point_dec : forall a b : digest_point, {a = b} + {a <> b}.
  Definition digest_world : world :=
    World (Registers * Memory) Hidden Value Effect Payload digest_point digest_point_dec.

  Definition by_digest : naming digest_world := {|
    counters := nat * nat;
    zero := (0, 0);
    ran := fun (s : state digest_world) k => if branch s then (fst k, 1 + snd k) else k;
    entered := fun _ k => (1 + fst k, 0);
    entry_name := fun (s : state digest_world) k => (1 + fst k, 0, fst s, digest (snd s));
    name := fun (s : state digest_world) k => Some (k, fst s, digest (snd s));
    still := fun _ => None
  |}.

  Variable r : recorder digest_world.
  Variable s0 : state digest_world.

  (* The one assumption on the digest: no two memories that this guest can have at boundaries collide. *)
  Definition no_collision : Prop :=
    forall script1 (c1 : config by_digest) script2 c2,
      reaches r (start by_digest s0) script1 c1 -> reaches r c1 script2 c2 ->
      digest (snd (now c1)) = digest (snd (now c2)) -> snd (now c1) = snd (now c2).

  Definition tells_state (c : config by_digest) : Prop :=
    forall t, here c = Some t -> t = (count c, fst (now c), digest (snd (now c))).

  Lemma names_tell : forall script c c' es l, record_run by_digest r script c = Some (c', es, l) ->
    tells_state c -> tells_state c'.
  Proof.
    induction script as [|ch script IH]; intros c c' es l R T; simpl in R.
    - inversion R; subst. exact T.
    - destruct (record_step by_digest r ch c) as [[[c1 e] l1]|] eqn:S1; [|discriminate].
      destruct (record_run by_digest r script c1) as [[[c2 es2] l2]|] eqn:S2; [|discriminate].
      inversion R; subst. apply (IH _ _ _ _ S2). intros t B. destruct ch as [q h v|q h f]; simpl in S1.
      + destruct (r_next r (r_quiet r (now c) q) h); inversion S1; subst; simpl in *; congruence.
      + destruct (here c); [|discriminate]. inversion S1; subst. discriminate.
  Qed.

  (* So a boundary with the registers and the digest of the right one is the right state... *)
  Theorem digest_tells : no_collision -> C4_states by_digest r s0.
  Proof.
    intros NC b1 c1 b2 c2 t R1 R2 _ B1 B2. pose proof (NC _ _ _ _ R1 R2) as D.
    destruct R1 as (es1 & l1 & R1). destruct R2 as (es2 & l2 & R2).
    assert (T1 : tells_state c1) by (eapply names_tell; [exact R1|intros u E; discriminate]).
    assert (T2 : tells_state c2) by (eapply names_tell; eassumption).
    destruct c1 as [[r1 m1] k1 h1], c2 as [[r2 m2] k2 h2]. simpl in *. subst h1 h2.
    pose proof (T1 _ eq_refl) as E1. pose proof (T2 _ eq_refl) as E2. simpl in *. rewrite E1 in E2.
    inversion E2; subst. rewrite D; [reflexivity|assumption].
  Qed.

  (* ...and at a boundary with the right (n, b) and registers, but in another state, the digest differs: it is noticed. *)
  Theorem digest_notices : no_collision ->
    forall script1 (c1 : config by_digest) script2 c2,
      reaches r (start by_digest s0) script1 c1 -> reaches r c1 script2 c2 ->
      fst (now c1) = fst (now c2) -> now c1 <> now c2 -> digest (snd (now c1)) <> digest (snd (now c2)).
  Proof.
    intros NC b1 c1 b2 c2 R1 R2 Regs Ne Eq. apply Ne.
    destruct (now c1) as [r1 m1] eqn:E1, (now c2) as [r2 m2] eqn:E2. simpl in *.
    pose proof (NC _ _ _ _ R1 R2) as D. rewrite E1, E2 in D. simpl in D. rewrite (D Eq), Regs. reflexivity.
  Qed.
End Digest.
