# Warnings and optimisation of every target, by build flavour:
#   release  what ships
#   checked  release plus mbuf ownership, poison and leak tracking (POLLWIRE_CHECKED)
#   asan     checked under AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan     checked under ThreadSanitizer
function(pollwire_flavour target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -fno-strict-aliasing)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    # The oldest CPU that we support; wider instructions are chosen at run time.
    target_compile_options(${target} PRIVATE -march=x86-64-v2)
  endif()
  if(POLLWIRE_FLAVOUR STREQUAL "release")
    target_compile_options(${target} PRIVATE -O3 -g1 -fno-plt)
    target_compile_definitions(${target} PRIVATE NDEBUG)
  else()
    target_compile_definitions(${target} PRIVATE POLLWIRE_CHECKED=1)
    target_compile_options(${target} PRIVATE -O1 -g -fno-omit-frame-pointer)
    if(POLLWIRE_FLAVOUR STREQUAL "asan")
      set(sanitize -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-sanitize=vptr)
    elseif(POLLWIRE_FLAVOUR STREQUAL "tsan")
      set(sanitize -fsanitize=thread)
    endif()
    target_compile_options(${target} PRIVATE ${sanitize})
    target_link_options(${target} PRIVATE ${sanitize})
  endif()
  target_compile_definitions(${target} PRIVATE POLLWIRE_FLAVOUR="${POLLWIRE_FLAVOUR}")
endfunction()
