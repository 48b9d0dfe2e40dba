//! The promises, by subject, and the macros that stamp them onto a store.
//!
//! [`contract_group!`] is the list of all promises. A store that cannot keep some is given fewer groups:
//! `store_contract_suite!(some_store: conversations, messages);`. A promise that is on no list is an unused function,
//! which the compiler reports.

pub mod answers;
pub mod api_keys;
pub mod branches;
pub mod conversations;
pub mod deletes;
pub mod edits;
pub mod erasure;
pub mod import;
pub mod imports_again;
pub mod isolation;
pub mod lists;
pub mod merge;
pub mod merge_refusals;
pub mod messages;
pub mod outbox;
pub mod parallel;
pub mod profiles;
pub mod search;
pub mod tools;
pub mod usage;

/// Stamps all promises, or those of some groups, onto a store.
macro_rules! store_contract_suite {
    ($store:ident) => {
        $crate::store::store_contract_suite!(
            $store: conversations, lists, branches, messages, edits, deletes, merge, merge_refusals, answers, tools,
                search, import, imports_again, isolation, parallel, outbox, api_keys, usage, profiles,
                erasure
        );
    };
    ($store:ident: $($group:ident),+) => {
        mod $store {
            $($crate::store::contract_group!($group, $store);)+
        }
    };
}

/// The promises of a group, each as a test of the store.
macro_rules! contract_group {
    (@stamp $group:ident, $store:ident: $($promise:ident,)+) => {
        mod $group {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $promise() {
                    let store = $crate::store::databases::TestStore::$store($crate::store::databases::LIMITS);
                    $crate::store::databases::keep(store, $crate::store::contract::$group::$promise).await;
                }
            )+
        }
    };
    (conversations, $store:ident) => {
        $crate::store::contract_group! {
            @stamp conversations, $store:
            a_new_conversation_has_one_empty_branch,
            nobody_has_more_conversations_than_the_limit,
            a_conversation_tells_what_is_in_it,
            a_full_conversation_has_every_message_once,
            a_conversation_is_changed_field_by_field,
            a_title_that_was_given_is_kept,
            a_deleted_conversation_is_gone_with_all_in_it,
            statistics_add_up_what_a_user_has,
            sums_end_at_the_largest_number,
            what_is_not_there_is_not_found,
        }
    };
    (lists, $store:ident) => {
        $crate::store::contract_group! {
            @stamp lists, $store:
            filters_leave_what_fits,
            every_order_is_total,
            a_change_moves_a_conversation_to_the_front,
            pages_cut_a_list_into_pieces,
            a_query_filters_a_list_and_keeps_its_order,
            hits_that_a_filter_leaves_out_do_not_count,
        }
    };
    (branches, $store:ident) => {
        $crate::store::contract_group! {
            @stamp branches, $store:
            a_branch_begins_and_ends_at_its_fork,
            a_branch_forks_only_where_something_is,
            a_conversation_has_no_more_branches_than_the_limit,
            no_two_branches_are_named_alike_for_want_of_a_name,
            a_branch_is_renamed_and_given_up,
            activating_twice_is_activating_once,
            a_deleted_branch_takes_only_what_nobody_else_reaches,
            main_and_the_active_branch_are_not_deleted,
            a_branch_with_a_running_answer_is_not_deleted,
            statistics_tell_what_is_on_a_branch,
        }
    };
    (messages, $store:ident) => {
        $crate::store::contract_group! {
            @stamp messages, $store:
            a_message_is_added_at_the_head,
            a_message_below_the_head_forks_an_active_branch,
            a_message_is_added_only_where_something_is,
            a_conversation_has_no_more_messages_than_the_limit,
            pictures_stay_what_they_were,
            a_message_shows_its_relatives,
            roots_are_siblings,
            pages_cut_a_path_into_pieces,
            all_messages_come_in_batches_and_branches_with_the_last,
        }
    };
    (edits, $store:ident) => {
        $crate::store::contract_group! {
            @stamp edits, $store:
            an_edit_in_place_changes_the_text,
            an_edit_beside_leaves_the_original,
            only_the_users_own_words_are_edited,
            what_is_being_answered_is_not_edited_in_place,
        }
    };
    (deletes, $store:ident) => {
        $crate::store::contract_group! {
            @stamp deletes, $store:
            a_message_goes_with_all_that_follows,
            without_its_first_message_a_conversation_is_empty,
            what_stands_beside_a_deleted_message_stays,
            the_last_message_is_the_newest_that_is_left,
            what_is_gone_is_not_found,
            what_is_being_answered_is_not_deleted,
        }
    };
    (merge, $store:ident) => {
        $crate::store::contract_group! {
            @stamp merge, $store:
            where_the_target_ends_at_the_base_its_head_moves,
            elsewhere_what_follows_the_base_is_copied,
            merging_twice_is_merging_once,
            only_what_is_new_since_the_last_merge_is_copied,
            merging_to_and_fro_brings_nothing_back,
            what_came_by_a_third_branch_is_not_copied_again,
            a_copy_of_a_copy_names_where_it_was_copied_from,
            without_a_shared_message_all_is_copied,
            an_empty_target_takes_all_of_the_source,
            a_merge_into_nothing_named_goes_into_main,
            a_dry_run_tells_and_changes_nothing,
            a_deleted_source_leaves_the_target_active,
            a_source_with_nothing_new_is_deleted_as_well,
            a_merged_branch_lives_on,
            copies_of_deleted_originals_stay,
        }
    };
    (merge_refusals, $store:ident) => {
        $crate::store::contract_group! {
            @stamp merge_refusals, $store:
            only_a_fast_forward_can_be_asked_for,
            a_head_that_somebody_moved_is_a_conflict,
            main_is_merged_but_never_deleted,
            a_branch_merges_with_another_that_is_there,
            a_running_answer_on_either_branch_is_in_the_way,
            a_running_answer_elsewhere_is_not_in_the_way,
            a_merge_copies_no_more_than_the_limit,
        }
    };
    (answers, $store:ident) => {
        $crate::store::contract_group! {
            @stamp answers, $store:
            a_turn_makes_a_conversation,
            nobody_talks_in_more_conversations_than_the_limit,
            the_context_is_the_end_of_the_path,
            a_turn_below_the_head_forks_an_active_branch,
            of_two_turns_to_one_message_one_is_refused,
            an_answer_is_stored_once,
            an_answer_nobody_saw_leaves_no_trace,
            what_nobody_produces_is_closed_once,
            what_ended_is_not_closed,
            who_produced_it_may_bring_it_after_all,
            who_produced_it_may_withdraw_it_after_all,
            what_is_recorded_here_and_known_to_nobody_is_found,
            what_was_taken_over_may_be_brought_for_longer,
            every_end_of_an_answer_is_kept,
            an_answer_is_answered_anew_beside_it,
            an_unanswered_question_is_answered_in_place,
            there_must_be_something_to_answer,
            an_answer_to_what_was_deleted_is_lost,
        }
    };
    (tools, $store:ident) => {
        $crate::store::contract_group! {
            @stamp tools, $store:
            tool_calls_are_answered_all_at_once,
            a_forked_turn_that_is_refused_leaves_no_branch,
            pictures_reach_the_model,
        }
    };
    (search, $store:ident) => {
        $crate::store::contract_group! {
            @stamp search, $store:
            the_same_words_are_found_on_every_store,
            no_query_is_a_syntax_error,
            searches_follow_edits_and_deletes,
            titles_are_found_and_come_first,
            snippets_mark_hits_and_escape_the_rest,
            filters_leave_what_fits,
            the_filters_of_lists_hold_for_searches,
            pages_cut_what_is_found_into_pieces,
            nobody_finds_what_others_wrote,
        }
    };
    (import, $store:ident) => {
        $crate::store::contract_group! {
            @stamp import, $store:
            an_import_is_a_copy_with_all_that_it_had,
            importing_twice_is_importing_once,
            an_import_brings_what_is_new,
            an_import_keeps_what_was_changed_here,
            the_original_of_an_import_is_never_touched,
            what_was_merged_before_an_export_is_not_merged_after_it,
            what_was_merged_between_two_imports_is_not_merged_after_them,
            limits_do_not_bind_what_is_imported_but_what_follows,
            a_deleted_copy_is_made_anew,
        }
    };
    (imports_again, $store:ident) => {
        $crate::store::contract_group! {
            @stamp imports_again, $store:
            a_text_that_was_edited_here_stays,
            a_text_that_was_not_edited_here_follows_its_source,
            an_image_that_changed_reaches_the_copy,
            what_is_said_of_a_conversation_follows_its_source,
            a_copy_that_changed_is_updated_then,
            another_choice_of_the_main_leaf_makes_no_branches,
            a_leaf_that_is_new_or_grew_is_followed,
            an_edited_question_is_a_new_branch,
            a_forged_origin_loses_nothing,
            a_merged_message_names_what_is_left_of_its_original,
            a_copy_has_as_many_branches_as_a_file_may_have,
            a_copy_has_bounds,
        }
    };
    (isolation, $store:ident) => {
        $crate::store::contract_group! {
            @stamp isolation, $store:
            what_belongs_to_others_does_not_exist,
            what_another_conversation_holds_does_not_exist_here,
            an_answer_goes_to_its_own_user_only,
        }
    };
    (parallel, $store:ident) => {
        $crate::store::contract_group! {
            @stamp parallel, $store:
            of_many_messages_at_once_none_is_lost,
            of_many_turns_at_once_one_runs,
            of_many_forks_at_once_each_is_made,
            of_many_merges_at_once_one_brings_something,
            an_expected_head_is_moved_by_one_of_many,
            everything_at_once_leaves_one_sound_tree,
            at_the_limit_of_conversations_nobody_slips_through,
        }
    };
    (outbox, $store:ident) => {
        $crate::store::contract_group! {
            @stamp outbox, $store:
            an_entry_is_kept_once_until_it_is_delivered,
            what_several_try_at_once_counts_once,
            a_dead_letter_waits_for_somebody_to_ask,
            only_a_dead_letter_is_discarded,
            an_answer_whose_entry_is_dead_is_closed,
        }
    };
    (erasure, $store:ident) => {
        $crate::store::contract_group! {
            @stamp erasure, $store:
            an_answer_that_comes_late_is_charged_once_and_dropped,
            who_has_come_back_is_charged_for_what_comes_late,
            what_waits_in_the_outbox_is_charged_and_removed,
            no_piece_is_large,
            whoever_comes_when_nothing_is_lost_or_charged_twice,
        }
    };
    (usage, $store:ident) => {
        $crate::store::contract_group! {
            @stamp usage, $store:
            sums_are_those_of_the_ledger,
            an_event_that_is_brought_twice_counts_once,
            what_is_taken_back_does_not_count,
            a_cost_that_a_server_made_up_does_not_stop_the_ledger,
            nothing_is_lost_between_writers,
            features_are_added_up,
        }
    };
    (profiles, $store:ident) => {
        $crate::store::contract_group! {
            @stamp profiles, $store:
            a_user_is_known_from_then_on,
            changes_at_once_lose_nothing,
        }
    };
    (api_keys, $store:ident) => {
        $crate::store::contract_group! {
            @stamp api_keys, $store:
            a_key_is_found_and_listed_as_it_was_stored,
            nobody_has_more_keys_than_the_limit,
            a_key_is_changed_by_its_user,
            the_last_revoked_keys_are_remembered,
            one_use_a_minute_is_recorded,
        }
    };
}

pub(super) use {contract_group, store_contract_suite};
