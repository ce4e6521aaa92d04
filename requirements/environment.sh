#!/bin/sh
# Makes the environment that the targets of make use, and says at each step what it does. It takes one of two words:
#
#     sound VENV [PYTHON]             Exits with 0 if the environment is complete, works, belongs to this directory and
#                                     has the version of PYTHON.
#     make VENV PYTHON LOCK TARGET    Makes the environment if it is not sound, and installs the packages of the file
#                                     LOCK and this checkout into it.
set -u
# packages of the user's own directories, or a request to install into them, have no place in an environment
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONUNBUFFERED=1

word=$1 venv=$2 python=${3:-}
case $venv in /*) place=$venv ;; *) place=$(pwd -P)/$venv ;; esac
unfinished=$venv/.unfinished
output=$venv/install.log

version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

# Programs in the environment begin with the path of its Python, which is wrong after the directory was moved. pip can
# be imported only if venv came to its end, and if the Python has the version that it had then.
is_sound() {
  [ -e "$venv/.installed" ] || [ -e "$venv/.demo" ] || return 1
  [ ! -e "$unfinished" ] || return 1
  head -n 3 "$venv/bin/stratum-miner" 2>/dev/null | grep -qF "$place/bin/python" || return 1
  "$venv/bin/python" -c 'import pip' 2>/dev/null || return 1
  [ -z "$python" ] || [ "$(version "$python")" = "$(version "$venv/bin/python")" ]
}

fail() { # MESSAGE: ends in a state from which the next call can go on
  rm -f "$unfinished"
  printf '%s\n' "$1" >&2
  exit 1
}

# Runs pip with a label, and prints it with the name of each package that pip takes, or with a point for each step of
# the compiler. The whole output is in a file. The pipe ends with pip's exit code, which is in its last line.
pip() { # LABEL ARGUMENT...
  label=$1
  shift
  {
    "$venv/bin/python" -m pip "$@" 2>&1
    echo "pip ended with $?"
  } | while IFS= read -r line; do
    printf '%s\n' "$line" >>"$output"
    case $line in
      'Collecting '*) name=${line#Collecting } && shown="$label ${name%%[=<>;@ ]*}" label='' ;;
      'Installing collected packages:'*) shown=' ...' ;;
      '  ['*/*'] '*) shown="${label:+$label }." label='' ;; # a step of ninja: [3/14] Building C object ...
      'pip ended with '*)
        [ "$label" ] || echo
        [ "$line" = 'pip ended with 0' ]
        exit
        ;;
      *) continue ;;
    esac
    printf '%s' "$shown"
  done
}

explain() { # WHAT FAILED: pip's own words, as far as they help
  reason=$(sed -n "s/.*connection broken by '\(.*\)': .*/\1/p" "$output" | tail -n 1)
  if [ "$reason" ] && ! grep -q 'DO NOT MATCH' "$output"; then
    reason=$(printf '%s\n' "$reason" | sed "s/.* object at [^>]*>[:,] *//; s/['\")]*$//; s/^'//")
    fail "pip cannot reach the package index ($reason). Check the network, and the index and proxy in pip's \
configuration (pip config list). Then run make again."
  fi
  grep -E '^ *(ERROR|error|CMake Error|fatal)|: error:|No space left' "$output" | tail -n 8 >&2
  fail "$1 failed. The whole output of pip is in $output"
}

make_environment() {
  lock=$4 target=$5
  sh requirements/system.sh "$python" "$target" >&2 || exit 1
  if ! is_sound; then
    if [ -e "$venv" ]; then
      echo "making $venv again: it is incomplete, or of another Python or directory"
      rm -rf "$venv" 2>/dev/null || fail "cannot remove $venv, which another user may have made: sudo rm -rf $venv"
    else
      echo "making $venv with Python $("$python" -c 'import sys; print(sys.version.split()[0])')"
    fi
    said=$("$python" -m venv "$venv" 2>&1) || fail "$python -m venv $venv failed: $(printf '%s' "$said" | tail -n 1)"
  fi
  : >"$unfinished" 2>/dev/null || fail "cannot write to $venv, which another user may have made: sudo rm -rf $venv"
  : >"$output"
  # pip comes first: the newer one is the better one, and if the index cannot be reached, this fails at once
  awk '/^[^ ]/ { is_pip = /^pip==/ } is_pip' "$lock" >"$venv/pip.txt"
  pip "updating" install --retries 1 --timeout 15 --require-hashes --requirement "$venv/pip.txt" || explain "pip"
  pip "installing, as locked in $lock:" install --require-hashes --requirement "$lock" || explain "installing $lock"
  pip "compiling the C kernels" install --verbose --no-deps --no-build-isolation --editable . ||
    explain "building stratum_miner"
  "$venv/bin/python" -m pip check >"$output" ||
    fail "$(cat "$output"): pyproject.toml asks for what is not locked: make lock"
  rm -f "$unfinished" "$venv/pip.txt" "$output"
}

case $word in
  sound) is_sound ;;
  make) make_environment "$@" ;;
  *) fail "expected sound or make, got $word" ;;
esac
