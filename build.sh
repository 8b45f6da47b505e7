#!/usr/bin/env bash
# The one door: sets a machine up, builds, tests and runs sandlock; `./build.sh help` says how.
# It installs packages only when something is missing and it may; the machine's own package
# configuration is never changed. The build graph itself is in the Makefile.
set -euo pipefail

usage() {
	cat <<'END'
usage: ./build.sh [VERB] [ARGUMENT...]

  (none)                      install what is missing, fetch the libraries, build build/sandlock
  run -- CMD...               build if needed, then run CMD confined by the default policy
  test [PYTEST ARGUMENT...]   unit, end-to-end and attack tests; as root, as an ordinary user too
  install [--prefix DIR] [--destdir DIR]
  dist                        build/dist/*.tar.gz: the same commit gives the same bytes
  lint                        clang-format, cppcheck, clang-tidy, gcc's analyzer, shellcheck
  sanitize                    tests under the sanitizers, and a few seconds of each fuzz target
  bench [ARGUMENT...]         measure against bare execution and other sandboxes
  clean                       remove what was built (verified downloads stay in build/sources)
  help

  --sources DIR               with any verb: take the libraries' archives from DIR, not the network
END
}

say() { printf '%s\n' "$*" >&2; }
die() {
	say "build.sh: $*"
	exit 1
}

# ------------------------------------------------------------------------------ the libraries

# Calls "$1" once for each library with: name, version, Debian's version, its folder in Debian's
# pool, its archive there, the archive's SHA-256, and where upstream publishes the same bytes
# (- where it does not: Debian's BearSSL archive leaves a Windows program out).
each_library() {
	"$1" libseccomp 2.5.4 2.5.4-1+deb12u1 libs/libseccomp libseccomp_2.5.4.orig.tar.gz \
		d82902400405cf0068574ef3dc1fe5f5926207543ba1ae6f8e7a1576351dcbdb \
		https://github.com/seccomp/libseccomp/releases/download/v2.5.4/libseccomp-2.5.4.tar.gz
	"$1" libyaml 0.2.5 0.2.5-1 liby/libyaml libyaml_0.2.5.orig.tar.gz \
		fa240dbf262be053f3898006d502d514936c818e422afdcf33921c63bed9bf2e \
		https://github.com/yaml/libyaml/archive/0.2.5.tar.gz
	"$1" xxhash 0.8.1 0.8.1-1 x/xxhash xxhash_0.8.1.orig.tar.gz \
		3bb6b7d6f30c591dd65aaaff1c8b7a5b94d81687998ca9400082c739a690436c \
		https://github.com/Cyan4973/xxHash/archive/v0.8.1.tar.gz
	"$1" bearssl 0.6 0.6+dfsg.1-3 b/bearssl bearssl_0.6+dfsg.1.orig.tar.xz \
		102a625bd8f6155260867a50c508df8d8c3f796985dd744df1a68e5cd1a79004 \
		-
}

readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
# Debian's memory of everything it ever published, on a day that had all of the above.
readonly SNAPSHOT=https://snapshot.debian.org/archive/debian/20240901T000000Z

sources_dir=

verified() { [ -f "$1" ] && sha256sum --check --status <<<"$2  $1"; }

# Prints "package=version" for a library whose archive is not in build/sources yet.
missing_source() { verified "build/sources/$5" "$6" || echo "$1=$3"; }

fetch_libraries() {
	[ -n "$(each_library missing_source)" ] || return 0
	mkdir -p build/sources
	if [ -n "$sources_dir" ]; then
		each_library copy_source
		return
	fi
	if command -v apt-get >/dev/null && [ -f "$KEYRING" ]; then
		apt_sources || say "fetching the same archives directly, checked against their SHA-256 sums"
	fi
	each_library download_source
}

copy_source() {
	local archive=$5 sum=$6 url=$7 name
	for name in "$archive" "$1-${url##*/}" "${url##*/}"; do
		verified "$sources_dir/$name" "$sum" && cp "$sources_dir/$name" "build/sources/$archive" && return
	done
	die "$sources_dir has no $archive with SHA-256 $sum
It is in Debian's archive under pool/main/$4/$5$([ "$url" = - ] || echo ", and at $url")"
}

download_source() {
	local archive=$5 sum=$6 target=build/sources/$5 url mirror
	verified "$target" "$sum" && return
	mirror=$(debian_mirror)
	for url in "${mirror:+$mirror/pool/main/$4/$5}" "$7" "$SNAPSHOT/pool/main/$4/$5"; do
		case $url in "" | -) continue ;; esac
		download "$url" "$target.part" || continue
		verified "$target.part" "$sum" && mv "$target.part" "$target" && return
		say "$url: not the archive we know (its SHA-256 differs)"
	done
	rm -f "$target.part"
	die "could not fetch $archive
Put the libraries' archives into a directory and run: ./build.sh --sources DIR"
}

download() { # URL FILE
	say "fetching ${1##*/}"
	if command -v curl >/dev/null; then
		curl -fsSL --retry 2 --connect-timeout 20 -o "$2" "${1//+/%2B}"
	elif command -v wget >/dev/null; then
		wget -q -T 20 -t 2 -O "$2" "${1//+/%2B}"
	else
		die "neither apt-get's source index nor curl nor wget can be used to fetch the libraries
Install curl, or put the archives into a directory and run: ./build.sh --sources DIR"
	fi
}

os_release() { sed -n "s/^$1=\"\\{0,1\\}\\([^\"]*\\)\"\\{0,1\\}\$/\\1/p" /etc/os-release 2>/dev/null; }

# The mirror this machine takes its Debian release from; nothing when it is not a Debian.
debian_mirror() {
	[ "$(os_release ID)" = debian ] || return 0
	local suite
	suite=$(os_release VERSION_CODENAME)
	{
		# deb [options] URI SUITE COMPONENT...
		cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
			sed -n 's/^ *deb\(-src\)\{0,1\} *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\) \(.*\)/\3 \4 /p'
		# Stanzas of "Field: value".
		for file in /etc/apt/sources.list.d/*.sources; do
			[ ! -f "$file" ] || awk '
				function flush() { if (!off) for (i in uri) print uri[i], suites, ""; off = 0; suites = ""; split("", uri) }
				/^#/ { next }
				/^[ \t]*$/ { flush() }
				tolower($1) == "uris:" { sub(/^[^:]*: */, ""); split($0, uri) }
				tolower($1) == "suites:" { sub(/^[^:]*: */, ""); suites = $0 }
				tolower($1) == "enabled:" && tolower($2) == "no" { off = 1 }
				END { flush() }' "$file"
		done
	} | awk -v suite="$suite" '$1 ~ /^https?:/ && !/security/ {
		for (i = 2; i <= NF; i++) if ($i == suite) { sub(/\/$/, "", $1); print $1; exit } }'
}

# Fetches what is missing as Debian source packages, through an apt whose whole state lies under
# build/apt. apt checks the archive's signature on the index and the index's sums on the files.
apt_sources() {
	local apt=$PWD/build/apt mirror suite wanted
	suite=$(os_release VERSION_CODENAME)
	[ "$(os_release ID)" = debian ] || return 1
	mirror=$(debian_mirror)
	[ -n "$mirror" ] || return 1
	mkdir -p "$apt"/{lists/partial,cache/archives/partial,etc,none}
	: >"$apt/status"
	echo "deb-src [signed-by=$KEYRING] $mirror $suite main" >"$apt/etc/sources.list"
	{
		# How to reach the network (proxies, certificates) is the machine's business; its hooks
		# are not ours, and they would clean the machine's own cache.
		apt-config dump | grep '^Acquire::' || true
		cat <<-END
			Acquire::AllowInsecureRepositories "false";
			Acquire::AllowWeakRepositories "false";
			Acquire::Languages "none";
			APT::Get::AllowUnauthenticated "false";
			APT::Architecture "$(dpkg --print-architecture)";
			APT::Sandbox::User "root";
			Dir::State "$apt";
			Dir::State::status "$apt/status";
			Dir::State::lists "$apt/lists";
			Dir::Cache "$apt/cache";
			Dir::Etc::main "$apt/none/apt.conf";
			Dir::Etc::parts "$apt/none";
			Dir::Etc::preferences "$apt/none";
			Dir::Etc::preferencesparts "$apt/none";
			Dir::Etc::sourcelist "$apt/etc/sources.list";
			Dir::Etc::sourceparts "$apt/none";
		END
	} >"$apt/apt.conf"
	say "fetching the libraries' sources from $mirror"
	if ! APT_CONFIG=$apt/apt.conf apt-get -q update >"$apt/log" 2>&1; then
		tail -n 5 "$apt/log" >&2
		say "no signed index of Debian $suite's sources could be fetched"
		return 1
	fi
	for wanted in $(each_library missing_source); do
		(cd build/sources &&
			APT_CONFIG=$apt/apt.conf apt-get -q source --download-only "$wanted" >>"$apt/log" 2>&1) || {
			tail -n 3 "$apt/log" >&2
			say "$wanted is not in this machine's Debian ($suite) any more"
			return 1
		}
	done
	[ -z "$(each_library missing_source)" ] || say "what Debian serves differs from the pinned archives"
}

# Unpacks a library into build/deps/NAME when another archive, or none, is unpacked there.
# Objects of the old one must not survive it.
unpack_library() {
	local name=$1 version=$2 archive=$5 sum=$6 dir=build/deps/$1
	[ "$(cat "$dir/.sha256" 2>/dev/null)" != "$sum" ] || return 0
	rm -rf "$dir" "$dir.new" build/*/dep build/*/lib build/*/include
	mkdir -p "$dir.new"
	tar -xmf "build/sources/$archive" -C "$dir.new" --strip-components=1 --no-same-owner
	echo "$version" >"$dir.new/.version"
	echo "$sum" >"$dir.new/.sha256"
	mv "$dir.new" "$dir"
}

library_unpacked() { [ "$(cat "build/deps/$1/.sha256" 2>/dev/null)" = "$6" ] || echo "$1"; }

prepare_libraries() {
	[ -n "$(each_library library_unpacked)" ] || return 0
	fetch_libraries
	each_library unpack_library
}

# ------------------------------------------------------------------------------ packages

# What each kind of work needs: Debian's package, and the command or file that shows it is there.
readonly FOR_BUILD='
gcc             gcc
make            make
libc6-dev       /usr/include/stdio.h
linux-libc-dev  /usr/include/linux/landlock.h
musl-tools      musl-gcc
xz-utils        xz
'
# The README's first command runs python3.
readonly FOR_RUN='
python3         python3
'
readonly FOR_TEST='
libcmocka-dev   /usr/include/cmocka.h
python3-pytest  /usr/lib/python3/dist-packages/pytest/__init__.py
python3-venv    /usr/lib/python3.*/ensurepip/__init__.py
busybox         busybox
curl            curl
git             git
iproute2        ip
iputils-ping    ping
nodejs          node
procps          ps
sqlite3         sqlite3
'
readonly FOR_LINT='
clang           clang
clang-format    clang-format
clang-tidy      clang-tidy
cppcheck        cppcheck
shellcheck      shellcheck
'
readonly FOR_SANITIZE='
libcmocka-dev   /usr/include/cmocka.h
clang           clang
libclang-rt-14-dev /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a
'
readonly FOR_DIST='
scdoc           scdoc
'
readonly FOR_BENCH='
bubblewrap      bwrap
'

# Tests confine redis and nginx, but their packages start servers of their own wherever an init runs. So they
# are installed in containers only; elsewhere those tests ask for them and are skipped without them.
for_test_services() {
	[ -d /run/systemd/system ] || printf '%s\n' 'redis-server redis-server' 'nginx-light nginx'
}

missing_packages() { # LIST
	local package proof
	while read -r package proof; do
		case $proof in
		'') ;;
		/*) compgen -G "$proof" >/dev/null || echo "$package" ;;
		*) command -v "$proof" >/dev/null || echo "$package" ;;
		esac
	done <<<"$1"
}

# Installs what is missing of the given lists, or says what to install.
need() { # LIST...
	local list packages install sudo=()
	packages=$(for list; do missing_packages "$list"; done | sort -u | paste -sd ' ')
	[ -n "$packages" ] || return 0
	install="apt-get install --no-install-recommends $packages"
	command -v apt-get >/dev/null || die "missing, by Debian's package names: $packages"
	if [ "$(id -u)" != 0 ]; then
		sudo=(sudo -n)
		sudo -n true 2>/dev/null || die "missing packages: $packages
Install them with:  sudo $install"
	fi
	say "installing $packages"
	mkdir -p build
	# shellcheck disable=SC2086 # a list of words
	{ "${sudo[@]}" apt-get -q update &&
		"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $packages; } \
		</dev/null >build/install.log 2>&1 || {
		tail -n 20 build/install.log >&2
		die "could not install: $packages (build/install.log has the whole story)
Try:  $install"
	}
}

# ------------------------------------------------------------------------------ verbs

jobs=$(nproc 2>/dev/null || echo 2)

# One build at a time: two would write the same files.
build() { # MAKE ARGUMENT...
	mkdir -p build
	(
		flock 9
		prepare_libraries
		make --no-print-directory -j"$jobs" "$@" 9>&-
	) 9>build/.lock
}

verb_build() {
	need "$FOR_BUILD"
	build all
}

# Only the program speaks on standard output; the build is heard when it fails.
verb_run() {
	[ $# -gt 0 ] || die "usage: ./build.sh run -- CMD..."
	need "$FOR_BUILD" "$FOR_RUN"
	[ -x build/sandlock ] || say "building sandlock (once)"
	mkdir -p build
	build all >build/build.log 2>&1 || {
		cat build/build.log >&2
		exit 1
	}
	exec build/sandlock run -p default "$@"
}

verb_test() {
	need "$FOR_BUILD" "$FOR_TEST" "$(for_test_services)"
	build all tests
	exec tests/run all "$@"
}

verb_install() {
	local prefix=/usr/local destdir=
	while [ $# -gt 0 ]; do
		case $1 in
		--prefix=*) prefix=${1#*=} ;;
		--destdir=*) destdir=${1#*=} ;;
		--prefix) prefix=${2:?--prefix needs a directory} && shift ;;
		--destdir) destdir=${2:?--destdir needs a directory} && shift ;;
		*) die "install: unknown argument '$1'" ;;
		esac
		shift
	done
	need "$FOR_BUILD" "$FOR_DIST"
	build install PREFIX="$prefix" DESTDIR="$destdir"
	say "installed under $destdir$prefix"
}

verb_dist() {
	need "$FOR_BUILD" "$FOR_DIST"
	build dist
}

verb_lint() {
	need "$FOR_BUILD" "$FOR_LINT" "$FOR_TEST"
	shellcheck build.sh tests/run .ci/run
	build --keep-going lint
	say "lint: clean"
}

verb_sanitize() {
	need "$FOR_BUILD" "$FOR_SANITIZE"
	build sanitize
	local status=0
	tests/run sanitize || status=1
	if can_fuzz; then
		build fuzz
		tests/run fuzz "${FUZZ_SECONDS:-5}" || status=1
	else
		say "fuzz: skipped, there is no clang with libFuzzer on this machine"
	fi
	return "$status"
}

can_fuzz() {
	command -v clang >/dev/null &&
		clang -fsanitize=fuzzer -x c -o build/can_fuzz - 2>/dev/null <<<'
		#include <stddef.h>
		int LLVMFuzzerTestOneInput(const char *data, size_t size);
		int LLVMFuzzerTestOneInput(const char *data, size_t size) { return data == 0 && size; }'
}

verb_bench() {
	[ -x tests/bench/run ] || die "there is no tests/bench/run yet"
	need "$FOR_BUILD" "$FOR_TEST" "$FOR_BENCH"
	build all
	exec tests/bench/run "$@"
}

verb_clean() {
	[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name sources -exec rm -rf {} +
}

verb_help() { usage; }

main() {
	local arguments=() verb=build
	while [ $# -gt 0 ]; do
		case $1 in
		--sources) sources_dir=${2:?--sources needs a directory} && shift ;;
		--sources=*) sources_dir=${1#*=} ;;
		--) break ;;
		*) arguments+=("$1") ;;
		esac
		shift
	done
	arguments+=("$@")
	if [ -n "$sources_dir" ]; then
		sources_dir=$(realpath -e "$sources_dir") || die "--sources: there is no such directory"
	fi
	if [ "${#arguments[@]}" -gt 0 ]; then
		verb=${arguments[0]}
		arguments=("${arguments[@]:1}")
	fi
	case $verb in
	-h | --help) verb=help ;;
	esac
	if ! declare -F "verb_$verb" >/dev/null; then
		usage >&2
		die "unknown verb '$verb'"
	fi
	cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")"
	"verb_$verb" "${arguments[@]}"
}

main "$@"
