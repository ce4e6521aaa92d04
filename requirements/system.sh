#!/bin/sh
# Checks what a system must have before stratum_miner can be built on it: Python 3.11 or newer with ensurepip (which
# venv needs) and with its headers, a C compiler, make. Prints nothing if all of it is there. Otherwise prints one
# line, which ends with the command that installs what is missing, and exits with 1.
#
#     sh requirements/system.sh [PYTHON [TARGET]]     TARGET is the target of make for which this was called
set -u
python=${1:-python3}
target=${2:-demo}
missing='' wanted='' again=''

has() { command -v "$1" >/dev/null 2>&1; }

lacks() { # WORDS KIND: notes something that is missing, and the packages that bring it
  missing="$missing${missing:+, }$1"
  wanted="$wanted $(packages "$2")"
}

manager=unknown
for name in apt-get dnf pacman apk zypper brew; do
  if has "$name"; then manager=$name; break; fi
done

packages() { # KIND: the names of the packages of this system that bring a Python, its headers, a compiler or make
  case $manager:$1 in
    apt-get:python) echo "$apt_python $apt_python-venv $apt_python-dev" ;;
    apt-get:ensurepip) echo "$apt_python-venv" ;;
    apt-get:headers) echo "$apt_python-dev" ;;
    apt-get:compiler) echo "gcc libc6-dev" ;;
    dnf:python) echo "python3.12 python3.12-devel" ;;
    dnf:headers) echo "$dnf_python-devel" ;;
    dnf:compiler) echo "gcc glibc-devel" ;;
    pacman:python | pacman:ensurepip | pacman:headers) echo "python" ;;
    apk:python) echo "python3 python3-dev" ;;
    apk:ensurepip) echo "python3" ;;
    apk:headers) echo "python3-dev" ;;
    apk:compiler) echo "gcc musl-dev" ;;
    zypper:python) echo "python312 python312-devel" ;;
    zypper:headers) echo "python3-devel" ;;
    zypper:compiler) echo "gcc glibc-devel" ;;
    brew:python | brew:ensurepip | brew:headers) echo "python" ;;
    *:python) echo "python3" ;;
    *:ensurepip) echo "python3-venv" ;;
    *:headers) echo "python3-dev" ;;
    *:compiler) echo "gcc" ;;
    *:make) echo "make" ;;
  esac
}

# Debian and Fedora name a package python3 for their default Python, and python3.12 for another one.
case ${python##*/} in
  python3.[0-9]*) apt_python=${python##*/} ;;
  *) apt_python=python3 ;;
esac
dnf_python=$apt_python

# The first line is the version, the second the directory below which this Python was installed; the rest is missing.
# Any Python understands this program, also one that is too old for stratum_miner.
seen=$("$python" -c '
import os, sys
print("%d.%d.%d" % tuple(sys.version_info[:3]))
print(getattr(sys, "base_prefix", sys.prefix))
try:
    import venv, ensurepip
    ensurepip.version()
except Exception:
    print("ensurepip")
try:
    import sysconfig
    found = os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
except Exception:
    found = False
if not found:
    print("headers")
' 2>/dev/null)
version=$(printf '%s\n' "$seen" | sed -n 1p)
prefix=$(printf '%s\n' "$seen" | sed -n 2p)

is_new_enough() { # VERSION
  case $1 in
    3.[0-9] | 3.[0-9].* | 3.10 | 3.10.* | [012].* | '') return 1 ;;
  esac
}

if ! is_new_enough "$version"; then
  for minor in 15 14 13 12 11; do
    if has "python3.$minor" && "python3.$minor" -c '' >/dev/null 2>&1; then
      echo "stratum_miner needs Python 3.11 or newer; $python is ${version:-not there}, but python3.$minor is:" \
        "make PYTHON=python3.$minor $target"
      exit 1
    fi
  done
  # a system whose default is too old may still have a newer one beside it
  case $manager in
    apt-get)
      for minor in 14 13 12 11; do
        if [ -n "$version" ] && apt-cache show "python3.$minor-venv" >/dev/null 2>&1; then
          apt_python=python3.$minor again=" && make PYTHON=python3.$minor $target"
          break
        fi
      done
      if [ -n "$version" ] && [ -z "$again" ]; then
        echo "stratum_miner needs Python 3.11 or newer; $python is $version, and this system has no newer package:" \
          "Debian 12, Ubuntu 24.04 and later have one"
        exit 1
      fi
      ;;
    dnf) again=" && make PYTHON=python3.12 $target" ;;
    zypper) again=" && make PYTHON=python3.12 $target" ;;
  esac
  if [ -n "$version" ]; then
    lacks "Python 3.11 or newer ($python is $version)" python
  else
    lacks "Python 3.11 or newer ($python is not there, or does not run)" python
  fi
else
  for kind in $(printf '%s\n' "$seen" | sed 1,2d); do
    case $kind in
      ensurepip) words="ensurepip (venv needs it)" ;;
      headers) words="Python.h (the headers of Python)" ;;
    esac
    # packages of the system add nothing to a Python that was installed elsewhere
    if [ "$prefix" != /usr ] && [ "$manager" != brew ]; then
      echo "stratum_miner cannot be built with $python: the Python $version in $prefix has no $words;" \
        "use another Python: make PYTHON=/usr/bin/python3 $target"
      exit 1
    fi
    lacks "$words" "$kind"
  done
fi

# CMake takes the compiler that CC names, or else the first of these. gcc may be there without the headers of C.
compiler=${CC:-}
for name in cc gcc clang; do
  if [ -z "$compiler" ] && has "$name"; then compiler=$name; fi
done
if [ -z "$compiler" ]; then
  lacks "a C compiler" compiler
# shellcheck disable=SC2086 # CC may contain arguments
elif ! printf '#include <stdio.h>\n' | $compiler -x c -fsyntax-only - >/dev/null 2>&1; then
  if [ -n "${CC:-}" ]; then
    echo "stratum_miner needs a C compiler, and CC=$CC does not compile C: unset CC, or set it to a C compiler"
    exit 1
  fi
  lacks "stdio.h (the headers of C)" compiler
fi
has make || lacks "make" make
[ -n "$missing" ] || exit 0

# what installs packages, as who
if [ "$(id -u)" = 0 ]; then root=''; elif has sudo; then root='sudo '; elif has doas; then root='doas '; else root=su; fi
list=''
for name in $wanted; do
  case " $list " in *" $name "*) ;; *) list="$list${list:+ }$name" ;; esac
done
case $manager in
  apt-get)
    command="apt install $list"
    # a new container knows no package before the lists are there
    set -- /var/lib/apt/lists/*_Packages*
    [ -e "$1" ] || command="apt update && ${root#su}apt install $list"
    ;;
  dnf) command="dnf install $list" ;;
  pacman) command="pacman -S --needed $list" ;;
  apk) command="apk add $list" ;;
  zypper) command="zypper install $list" ;;
  brew)
    root=''
    case $list in
      '') command="xcode-select --install" ;;
      *gcc* | *make*) command="xcode-select --install" ;;
      *) command="brew install $list" ;;
    esac
    ;;
  *)
    if [ "$(uname)" = Darwin ]; then
      root='' command="xcode-select --install"
    else
      echo "stratum_miner needs more of this system. Missing: $missing. Many systems call the packages: $list"
      exit 1
    fi
    ;;
esac
if [ "$root" = su ]; then command="su -l -c '$command'"; else command="$root$command"; fi
echo "stratum_miner needs more of this system. Missing: $missing. Install with: $command$again"
exit 1
