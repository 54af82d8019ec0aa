# SPDX-License-Identifier: GPL-2.0-or-later
# A test that judges the mutants of the list mutants.py in the calling folder (tests/support/source_mutants.py).
#   casmotion_source_mutants_test(<name> SOURCES <folder of the files to change> TESTS <name>=<target>...
#                          [BEFORE <library target>...] LIBRARIES <library target>... [FLAGS <compiler flags>...])
# TESTS: a test's object files are those of its target; BEFORE: libraries that hold no original; LIBRARIES: come after the mutant.
function(casmotion_source_mutants_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "SOURCES" "TESTS;BEFORE;LIBRARIES;FLAGS")
    set(before "")
    foreach(library IN LISTS arg_BEFORE)
        string(APPEND before ",$<TARGET_FILE:${library}>")
    endforeach()
    set(words "")
    foreach(test IN LISTS arg_TESTS)
        string(REGEX MATCH "^([^=]+)=(.+)$" matched "${test}")
        list(APPEND words "--test=${CMAKE_MATCH_1}=$<JOIN:$<TARGET_OBJECTS:${CMAKE_MATCH_2}>,$<COMMA>>${before}")
    endforeach()
    foreach(library IN LISTS arg_LIBRARIES)
        list(APPEND words "--library=$<TARGET_FILE:${library}>")
    endforeach()
    separate_arguments(flags UNIX_COMMAND "${CMAKE_C_FLAGS}")
    add_test(NAME ${name}
        COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/mutants.py ${arg_SOURCES} --linker ${CMAKE_CXX_COMPILER} ${words}
            --library=-lgtest_main --library=-lgtest --library=-lpthread
            -- ${CMAKE_C_COMPILER} ${flags} -O1 -g ${arg_FLAGS}
        COMMAND_EXPAND_LISTS)
    # It uses every processor.
    set_tests_properties(${name} PROPERTIES LABELS property TIMEOUT 600 PROCESSORS 2
        ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endfunction()
