(* SPDX-License-Identifier: GPL-2.0-or-later *)
(* C1 to C6 are sufficient, for executions of any length. *)
From Coq Require Import List Arith Lia.
Import ListNotations.
From CASMotion Require Import Log Machine Conditions.

Lemma is_here_true : forall (w : world) (t : point w), is_here (Some t) t = true.
Proof. intros w t. simpl. destruct (point_dec w t t); congruence. Qed.

Lemma is_here_false : forall (w : world) (b : option (point w)) (t : point w), b <> Some t -> is_here b t = false.
Proof. intros w [t'|] t H; simpl; [|reflexivity]. destruct (point_dec w t' t); congruence. Qed.

Section Recording.
  Context {w : world} (N : naming w) (r : recorder w).

  Lemma reaches_nothing : forall c : config N, reaches r c [] c.
  Proof. intros c. exists [], []. reflexivity. Qed.

  Lemma reaches_step : forall (c c1 c2 : config N) ch e l script,
    record_step N r ch c = Some (c1, e, l) -> reaches r c1 script c2 -> reaches r c (ch :: script) c2.
  Proof.
    intros c c1 c2 ch e l script S [es [l' R]]. exists (e :: es), (l ++ l'). simpl. rewrite S, R. reflexivity.
  Qed.

  Lemma reaches_trans : forall s1 s2 (c1 c2 c3 : config N),
    reaches r c1 s1 c2 -> reaches r c2 s2 c3 -> reaches r c1 (s1 ++ s2) c3.
  Proof.
    induction s1 as [|ch s1 IH]; intros s2 c1 c2 c3 [es [l A]] B; simpl in A.
    - inversion A; subst. exact B.
    - destruct (record_step N r ch c1) as [[[d e] l1]|] eqn:S; [|discriminate].
      destruct (record_run N r s1 d) as [[[d' es'] l2]|] eqn:R; [|discriminate].
      inversion A; subst. simpl. eapply reaches_step; [exact S|].
      eapply IH; [|exact B]. exists es', l2. exact R.
  Qed.

  Lemma record_from_step : forall ch script q (c c1 : config N) e l es ls,
    record_step N r ch c = Some (c1, e, l) -> record_from N r script q c1 = Some (es, ls) ->
    record_from N r (ch :: script) q c = Some (e :: es, l ++ ls).
  Proof.
    intros ch script q c c1 e l es ls S F. unfold record_from in *. simpl. rewrite S.
    destruct (record_run N r script c1) as [[[c2 es2] l2]|]; [|discriminate].
    destruct (record_end N r q c2) as [[e3 l3]|]; [|discriminate].
    inversion F; subst. rewrite app_assoc. reflexivity.
  Qed.

  Lemma record_from_inv : forall ch script q (c : config N) es ls,
    record_from N r (ch :: script) q c = Some (es, ls) ->
    exists c1 e l es' ls', record_step N r ch c = Some (c1, e, l) /\
      record_from N r script q c1 = Some (es', ls') /\ es = e :: es' /\ ls = l ++ ls'.
  Proof.
    intros ch script q c es ls F. unfold record_from in *. simpl in F.
    destruct (record_step N r ch c) as [[[c1 e] l]|] eqn:S; [|discriminate].
    destruct (record_run N r script c1) as [[[c2 es2] l2]|] eqn:R; [|discriminate].
    destruct (record_end N r q c2) as [[e3 l3]|] eqn:E; [|discriminate].
    inversion F; subst.
    exists c1, e, l, (es2 ++ e3), (l2 ++ l3).
    repeat split; try (rewrite app_assoc); try reflexivity. rewrite R, E. reflexivity.
  Qed.
End Recording.

(* Where the record at the head of the log comes from: if it names a place, the recorder reached a boundary with that name
   by steps that wrote nothing. *)
Definition names_place {w : world} (t : point w) (x : entry w) : Prop :=
  at_point x = t /\ match what x with Sync _ => False | Async _ => True | End => True end.

Definition all_ran {w : world} (es : trace w) : Prop := Forall (fun e => fst e = Ran) es.

Lemma head_of_log : forall (w : world) (N : naming w) (r : recorder w) (p : replayer w), C3 r p ->
  forall script q (c : config N) es x l t,
    record_from N r script q c = Some (es, x :: l) -> names_place t x ->
    exists before rest c' es1 es2, script = before ++ rest /\ record_run N r before c = Some (c', es1, []) /\
      here c' = Some t /\ all_ran es1 /\ record_from N r rest q c' = Some (es2, x :: l) /\ es = es1 ++ es2.
Proof.
  intros w N r p [HS HA]. induction script as [|ch script IH]; intros q c es x l t F [P K].
  - exists [], [], c, [], es. repeat split; try constructor; auto.
    unfold record_from, record_end in F. simpl in F. destruct (here c) as [t'|]; [|discriminate].
    inversion F; subst. reflexivity.
  - pose proof F as F0.
    apply record_from_inv in F. destruct F as (c1 & e & l1 & es' & ls' & S & F & E & L).
    assert (S0 := S). destruct ch as [qq h v | qq h f]; simpl in S.
    + destruct (r_next r (r_quiet r (now c) qq) h) as [s'|].
      * inversion S; subst. simpl in L. subst ls'.
        destruct (IH _ _ _ _ _ _ F (conj eq_refl K)) as (before & rest & c' & es1 & es2 & E1 & R & B & A & F' & E2).
        exists (Go qq h v :: before), rest, c', ((Ran, s') :: es1), es2. subst.
        repeat split; auto; [|constructor; auto]. cbn [record_run app]. rewrite S0, R. reflexivity.
      * inversion S; subst.
        destruct (HS (entry_name N (r_quiet r (now c) qq) (count c)) (r_quiet r (now c) qq) h v) as (y & W & _).
        rewrite W in L. simpl in L. inversion L; subst. contradiction K.
    + destruct (here c) as [t'|] eqn:B; [|discriminate]. inversion S; subst.
      destruct (HA t' (r_quiet r (now c) qq) h f) as (y & W & _). rewrite W in L. simpl in L. inversion L; subst.
      eexists [], (Hit qq h f :: script), c, [], _. repeat split; try constructor; eauto.
Qed.

(* A step that writes no record is an instruction of the guest. *)
Lemma silent_step : forall (w : world) (N : naming w) (r : recorder w) (p : replayer w), C3 r p ->
  forall ch (c c1 : config N) e, record_step N r ch c = Some (c1, e, []) -> fst e = Ran /\ moves [ch].
Proof.
  intros w N r p [HS HA] ch c c1 e S. destruct ch as [q h v|q h f]; simpl in S.
  - split; [|exists q, h, v; left; reflexivity].
    destruct (r_next r (r_quiet r (now c) q) h) as [s'|]; [inversion S; reflexivity|].
    destruct (HS (entry_name N (r_quiet r (now c) q) (count c)) (r_quiet r (now c) q) h v) as (x & W & _).
    rewrite W in S. discriminate.
  - destruct (here c) as [t|]; [|discriminate].
    destruct (HA t (r_quiet r (now c) q) h f) as (x & W & _). rewrite W in S. discriminate.
Qed.

(* Where the recorder makes a step without a record, and the next record does not name this place, the replay runs on. *)
Lemma lets_run : forall (w : world) (b : option (point w)) (x : entry w) l,
  (forall t, names_place t x -> b <> Some t) -> matching b (x :: l) = LetRun.
Proof.
  intros w b [t [y|y|]] l A; simpl; [reflexivity| |];
    (rewrite is_here_false; [reflexivity|]; apply A; split; [reflexivity|exact I]).
Qed.

Lemma whole_log_not_empty : forall (w : world) (N : naming w) (r : recorder w) script q (c : config N) es,
  record_from N r script q c <> Some (es, []).
Proof.
  intros w N r script q c es F. unfold record_from in F.
  destruct (record_run N r script c) as [[[c2 es2] l2]|]; [|discriminate].
  unfold record_end in F. destruct (here c2); [|discriminate]. inversion F. destruct l2; discriminate.
Qed.

Lemma runs_on : forall (w : world) (N : naming w) (r : recorder w) (p : replayer w) (s0 : state w),
  C3 r p -> C4 N r s0 ->
  forall before (c c1 : config N) ch e script q es l,
    reaches r (start N s0) before c ->
    record_step N r ch c = Some (c1, e, []) ->
    record_from N r script q c1 = Some (es, l) ->
    matching (here c) l = LetRun.
Proof.
  intros w N r p s0 H3 H4 before c c1 ch e script q es l R S F.
  destruct l as [|x l]; [exfalso; exact (whole_log_not_empty _ _ _ _ _ _ _ F)|].
  apply lets_run. intros t P B.
  destruct (head_of_log w N r p H3 _ _ _ _ _ _ _ F P) as (b2 & rest & c' & es1 & es2 & _ & R2 & B2 & _).
  refine (H4 before c (ch :: b2) c' t R _ _ B B2).
  - eapply reaches_step; [exact S|]. exists es1, []. exact R2.
  - destruct (silent_step w N r p H3 ch c c1 e S) as [_ (qq & h & v & [E|[]])].
    exists qq, h, v. left. exact E.
Qed.

(* One step: what the recorder did, the replay does, unless it takes this boundary for the place of the next record. *)
Lemma replay_one : forall (w : world) (N : naming w) (r : recorder w) (p : replayer w),
  C2 r p -> C3 r p -> C5 r p -> C6 p ->
  forall ch (c c1 : config N) e l1 l hs,
    record_step N r ch c = Some (c1, e, l1) ->
    (l1 = [] -> matching (here c) l = LetRun) ->
    replay_step N p hs c (l1 ++ l) = Moved c1 e l.
Proof.
  intros w N r p H2 [HS HA] (Hrq & Hpq & _) H6 ch c c1 e l1 l [hq hh] S On.
  unfold C5_record, C5_replay in *.
  destruct ch as [q h v | q h f]; simpl in S.
  - rewrite Hrq in S. destruct (r_next r (now c) h) as [s'|] eqn:Nx; inversion S; subst; clear S.
    + simpl app. unfold replay_step. rewrite H6, (On eq_refl).
      cbn [fst snd]. rewrite !Hpq. rewrite <- (H2 (now c) h hh), Nx. reflexivity.
    + destruct (HS (entry_name N (now c) (count c)) (now c) h v) as (x & W & Eff).
      rewrite W. simpl app. unfold replay_step. rewrite H6. simpl matching.
      cbn [fst snd]. rewrite !Hpq. rewrite <- (H2 (now c) h hh), Nx.
      destruct (point_dec w _ _) as [_|Ne]; [|congruence]. rewrite Eff. reflexivity.
  - destruct (here c) as [t|] eqn:B; [|discriminate]. rewrite Hrq in S. inversion S; subst; clear S.
    destruct (HA t (now c) h f) as (x & W & Eff).
    rewrite W. simpl app. unfold replay_step. rewrite H6, B. unfold matching. rewrite is_here_true.
    cbn [fst snd]. rewrite Hpq, Eff. reflexivity.
Qed.

Lemma replay_end : forall (w : world) (N : naming w) (r : recorder w) (p : replayer w), C5 r p -> C6 p ->
  forall q (c : config N) es l hs, record_from N r [] q c = Some (es, l) -> 0 < length hs ->
    replay_run N p hs c l = (es, AtEnd []).
Proof.
  intros w N r p (Hrq & Hpq & _) H6 q c es l [|[hq hh] hs] F Len; simpl in Len; [lia|].
  unfold record_from, record_end in F. simpl in F.
  destruct (here c) as [t|] eqn:B; [|discriminate]. inversion F; subst; clear F.
  unfold replay_run, replay_step. rewrite H6, B. unfold matching. rewrite is_here_true. simpl.
  rewrite Hpq, Hrq. reflexivity.
Qed.

(* The induction: from equal configurations, with the rest of the log, the rest of the replay is the rest of the recording. *)
Lemma replay_follows : forall (w : world) (N : naming w) (r : recorder w) (p : replayer w) (s0 : state w),
  C2 r p -> C3 r p -> C4 N r s0 -> C5 r p -> C6 p ->
  forall script before (c : config N) q es l hs,
    reaches r (start N s0) before c ->
    record_from N r script q c = Some (es, l) ->
    length script < length hs ->
    replay_run N p hs c l = (es, AtEnd []).
Proof.
  intros w N r p s0 H2 H3 H4 H5 H6.
  induction script as [|ch script IH]; intros before c q es l hs R F Len.
  - eapply replay_end; eauto.
  - destruct hs as [|hh hs]; simpl in Len; [lia|].
    apply record_from_inv in F. destruct F as (c1 & e & l1 & es' & ls' & S & F & -> & ->).
    assert (R1 : reaches r (start N s0) (before ++ [ch]) c1).
    { eapply reaches_trans; [exact R|]. eapply reaches_step; [exact S|apply reaches_nothing]. }
    cbn [replay_run]. rewrite (replay_one w N r p H2 H3 H5 H6 ch c c1 e l1 ls' hh S).
    + rewrite (IH (before ++ [ch]) c1 q es' ls' hs R1 F); [reflexivity|lia].
    + intros ->. eapply runs_on; eauto.
Qed.

Theorem sufficient_conditions : forall (w : world) (N : naming w) (r : recorder w) (p : replayer w) (s0 s0' : state w),
  sufficient N r p s0 s0' -> equivalent N r p s0 s0'.
Proof.
  intros w N r p s0 s0' (H1 & H2 & H3 & H4 & H5 & H6) script q es l Rec hs Len.
  unfold recording in Rec. destruct (record_from N r script q (start N s0)) as [[es' l']|] eqn:F; [|discriminate].
  inversion Rec; subst. destruct H5 as (Hrq & Hpq & Ho). rewrite Ho. unfold C1 in H1. subst s0'.
  unfold replaying. eapply replay_follows; eauto using reaches_nothing. unfold C5; auto.
Qed.

(* --- Step by step, and logs that were cut --- *)

(* Stopping a replay after k steps shows the first k of its steps; so the theorem speaks of every moment of a replay, not of
   its end only. *)
Lemma replay_moment : forall (w : world) (N : naming w) (p : replayer w) k hs c l,
  fst (replay_run N p (firstn k hs) c l) = firstn k (fst (replay_run N p hs c l)).
Proof.
  intros w N p. induction k as [|k IH]; intros hs c l; [reflexivity|].
  destruct hs as [|h hs]; [reflexivity|]. simpl.
  destruct (replay_step N p h c l) as [c' e l'|e l'| |]; try reflexivity; [|destruct k; reflexivity].
  specialize (IH hs c' l').
  destruct (replay_run N p (firstn k hs) c' l'), (replay_run N p hs c' l'). simpl in *. congruence.
Qed.

Corollary step_by_step : forall (w : world) (N : naming w) (r : recorder w) (p : replayer w) (s0 s0' : state w),
  sufficient N r p s0 s0' ->
  forall script q es l, recording N r s0 script q = Some (es, l) ->
  forall hs k, length script < length hs -> fst (replaying N p s0' (firstn k hs) l) = firstn k es.
Proof.
  intros w N r p s0 s0' H script q es l Rec hs k Len. unfold replaying. rewrite replay_moment.
  pose proof (sufficient_conditions w N r p s0 s0' H script q es l Rec hs Len) as E. unfold replaying in E.
  rewrite E. reflexivity.
Qed.

(* A log that was cut, by a crash of the daemon or of the host say, still replays as far as it goes: the states are the
   recording's, up to where records are missing, and the replay says that it ran out. It never calls that a divergence. *)
Definition cut_short {w : world} {N : naming w} (o : outcome N) : Prop := o = OutOfLog \/ exists c l, o = Running c l.

Lemma cut_step : forall (w : world) (N : naming w) (p : replayer w), C6 p ->
  forall h (c : config N) (l l' : log w),
    (exists c' e rest, replay_step N p h c (l ++ l') = Moved c' e (rest ++ l') /\ replay_step N p h c l = Moved c' e rest)
    \/ replay_step N p h c l = RanOut
    \/ (exists e rest, replay_step N p h c (l ++ l') = Finished e (rest ++ l') /\ replay_step N p h c l = Finished e rest)
    \/ replay_step N p h c (l ++ l') = Diverged.
Proof.
  intros w N p H6 [q h] c l l'. unfold replay_step. rewrite !H6. cbn [fst snd].
  destruct l as [|[t [x|x|]] l]; simpl app.
  - (* nothing left of the cut log *)
    cbn [matching]. destruct (here c) as [t|] eqn:B; [tauto|].
    assert (L : matching None l' = LetRun).
    { destruct l' as [|[t [x|x|]] l']; reflexivity. }
    rewrite L. destruct (p_next p (p_quiet p (now c) q) h) as [s'|]; [|tauto].
    left. exists (after_run c (p_quiet p (now c) q) s'), (Ran, s'), []. auto.
  - cbn [matching]. destruct (p_next p (p_quiet p (now c) q) h) as [s'|].
    + left. do 2 eexists. exists (Entry t (Sync x) :: l). auto.
    + destruct (point_dec w t (entry_name N (p_quiet p (now c) q) (count c))); [|tauto].
      left. do 3 eexists. split; reflexivity.
  - cbn [matching]. destruct (is_here (here c) t).
    + left. do 3 eexists. split; reflexivity.
    + destruct (p_next p (p_quiet p (now c) q) h) as [s'|]; [|tauto].
      left. do 2 eexists. exists (Entry t (Async x) :: l). auto.
  - cbn [matching]. destruct (is_here (here c) t).
    + right. right. left. do 2 eexists. split; reflexivity.
    + destruct (p_next p (p_quiet p (now c) q) h) as [s'|]; [|tauto].
      left. do 2 eexists. exists (Entry t End :: l). auto.
Qed.

Lemma cut_replay : forall (w : world) (N : naming w) (p : replayer w), C6 p ->
  forall (l' : log w) hs (c : config N) (l : log w) es, l' <> [] ->
    replay_run N p hs c (l ++ l') = (es, AtEnd []) ->
    exists k o, replay_run N p hs c l = (firstn k es, o) /\ cut_short o.
Proof.
  intros w N p H6 l'. induction hs as [|h hs IH]; intros c l es NE R; [discriminate|].
  cbn [replay_run] in R |- *.
  destruct (cut_step w N p H6 h c l l') as [M|[O|[E|D]]].
  - destruct M as (c' & e & rest & M1 & M2). rewrite M1 in R. rewrite M2.
    destruct (replay_run N p hs c' (rest ++ l')) as [es1 o1] eqn:R1. inversion R; subst.
    destruct (IH _ _ _ NE R1) as (k & o & R2 & CS). rewrite R2. exists (S k), o. auto.
  - rewrite O. exists 0, OutOfLog. split; [reflexivity|left; reflexivity].
  - destruct E as (e & rest & E1 & _). rewrite E1 in R. injection R as _ R. destruct rest; [contradiction|discriminate].
  - rewrite D in R. discriminate.
Qed.

Theorem cut_logs : forall (w : world) (N : naming w) (r : recorder w) (p : replayer w) (s0 s0' : state w),
  sufficient N r p s0 s0' ->
  forall script q es l1 l2, recording N r s0 script q = Some (es, l1 ++ l2) -> l2 <> [] ->
  forall hs, length script < length hs ->
  exists k o, replaying N p s0' hs l1 = (firstn k es, o) /\ cut_short o.
Proof.
  intros w N r p s0 s0' H script q es l1 l2 Rec NE hs Len.
  pose proof (sufficient_conditions w N r p s0 s0' H script q es _ Rec hs Len) as E.
  destruct H as (_ & _ & _ & _ & _ & H6). unfold replaying in *. eapply cut_replay; eauto.
Qed.
