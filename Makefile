# The build graph of sandlock. One file, no recursion; everything it makes lands under build/.
#
# ./build.sh is the door for people: it installs what is missing, puts the sources of the
# libraries into build/deps and then calls the targets here. A new .c file, policy, unit test,
# fuzz target or man page needs no edit: the lists below are wildcards.
#
# Each variant compiles the same sources in its own room, build/VARIANT:
#   musl      what is shipped: the static-pie program
#   host      the unit tests, with this machine's C library
#   preload   libsandlock_confine.so, without any C library
#   sanitize  unit tests and program under AddressSanitizer and UndefinedBehaviourSanitizer
#   fuzz      fuzz targets, with clang's libFuzzer
#   analyze   nothing to run: gcc's static analyzer as a reviewer

SANDLOCK_VERSION := 0.1.0

# The program must stay small enough to read into memory without thought (bytes, stripped).
PROGRAM_SIZE_LIMIT := 589824
PRELOAD_SIZE_LIMIT := 65535

# Files of core/ that libsandlock_confine.so carries as well. They are compiled freestanding
# (-DSANDLOCK_FREESTANDING): no C library to call, no static constructors.
PRELOAD_CORE := $(wildcard core/launch/child.c core/launch/confine_image.c core/policy/image_read.c)

CC      := gcc
MUSL_CC := musl-gcc
CLANG   := clang
AR      := ar
PREFIX  := /usr/local
DESTDIR :=

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# ---------------------------------------------------------------- what there is to compile

CORE     := $(sort $(wildcard core/*/*.c))
PROGRAM  := $(sort $(wildcard static/*.c))
PRELOAD  := $(sort $(wildcard preload/*.c))
POLICIES := $(sort $(wildcard policies/*.yaml))
UNIT     := $(sort $(wildcard tests/unit/test_*.c))
SHARED   := $(filter-out $(UNIT),$(sort $(wildcard tests/unit/*.c)))
FUZZ     := $(sort $(wildcard tests/fuzz/fuzz_*.c))
PAGES    := $(sort $(wildcard docs/*.scd))

# The shipped policies become C once the header that declares the array is there.
GENERATED := $(if $(wildcard core/policy/builtin.h),build/gen/policies.c)

# ---------------------------------------------------------------- the revision in the program

# The commit, "-dirty" when the tree differs from it; "release" in an unpacked source archive,
# "unknown" in a checkout that git cannot read.
BUILD_ID := $(shell id=$$(git rev-parse --short=12 HEAD 2>/dev/null) || \
	{ test -e .git && echo unknown || echo release; exit; }; \
	test -z "$$(git status --porcelain 2>/dev/null)" || id=$$id-dirty; echo $$id)
# All dates in what is built are the commit's: two builds of one commit are the same bytes.
export SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),0)
export LC_ALL := C

# ---------------------------------------------------------------- stamps

# A stamp holds a fact that no file's date shows (flags, a list of sources, the commit). It is
# rewritten only when the fact changes, and then all that depends on it is made again.
# The text must not contain a single quote.
stamp = $(shell mkdir -p $(dir $1); printf '%s\n' '$2' | cmp -s - $1 || printf '%s\n' '$2' >$1)

# ---------------------------------------------------------------- flags

MACHINE  := $(shell $(CC) -dumpmachine)
X86      := $(filter x86_64-%,$(MACHINE))
MUSL_LIB := $(shell sed -n 's|.*-specs "\(.*\)/[^/]*".*|\1|p' "$$(command -v $(MUSL_CC))" 2>/dev/null)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Werror
# Test code casts freely between the integer types of its assertions.
TEST_WARNINGS := -Wno-conversion -Wno-sign-conversion

LANGUAGE := -std=gnu11 -D_GNU_SOURCE -Icore -ffile-prefix-map=$(CURDIR)=. -fno-common
# Shadow stacks; ENDBR landing pads would cost 2 %, and Linux does not enforce them in user space.
HARDEN   := -fstack-protector-strong $(if $(X86),-fcf-protection=return)
SECTIONS := -ffunction-sections -fdata-sections
VERSION  := -DSANDLOCK_VERSION=\"$(SANDLOCK_VERSION)\"
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

OURS     := $(LANGUAGE) $(WARNINGS) $(VERSION)

# A library's own code is not ours to warn about.
THEIRS   := -std=gnu11 -D_GNU_SOURCE -w -O2 -ffile-prefix-map=$(CURDIR)=. $(SECTIONS)

musl_CC        := $(MUSL_CC)
# Small, but for what answers trapped calls, compiles filters and hashes. Nothing unwinds the stack.
SMALL          := -Oz -flto -fno-fat-lto-objects -fno-asynchronous-unwind-tables -fno-unwind-tables
FAST           := core/supervise/notify.c core/supervise/memory.c core/plan/filter.c
musl_CFLAGS    := $(OURS) $(SMALL) -g -fPIE $(HARDEN) $(SECTIONS) -isystem build/musl/include
musl_THEIRS    := $(THEIRS) $(SMALL) -fPIE $(HARDEN) -isystem build/musl/include

host_CC        := $(CC)
host_CFLAGS    := $(OURS) -O1 -g -fPIC -isystem build/host/include
host_THEIRS    := $(THEIRS) -fPIC $(HARDEN)

sanitize_CC     := $(CC)
sanitize_CFLAGS := $(OURS) -O1 -g -fPIC $(SANITIZE) -isystem build/host/include

fuzz_CC        := $(CLANG)
fuzz_CFLAGS    := $(OURS) -Wno-error -O1 -g -fsanitize=fuzzer-no-link,address,undefined \
		  -fno-sanitize-recover=all -isystem build/host/include

analyze_CC     := $(CC)
analyze_CFLAGS := $(OURS) -O1 -fanalyzer -isystem build/host/include

# No stack protector: its canary lives in the thread block of a C library we do not have.
preload_CC     := $(CC)
preload_CFLAGS := $(OURS) -O2 -g -ffreestanding -fno-builtin -DSANDLOCK_FREESTANDING -fPIC \
		  -fvisibility=hidden -fno-stack-protector -fno-asynchronous-unwind-tables \
		  $(if $(X86),-fcf-protection) $(SECTIONS) -isystem build/host/include

LINK_HARDEN := -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--build-id=sha1

# ---------------------------------------------------------------- our sources, by variant

VARIANTS := musl host sanitize fuzz analyze preload

objects = $(patsubst %.c,build/$1/obj/%.o,$2)

# The commit goes only into the files that print it; the others need not be made again for it.
WITH_BUILD_ID := $(shell grep -ls SANDLOCK_BUILD_ID $(CORE) $(PROGRAM) $(PRELOAD) /dev/null)

define VARIANT
$(call stamp,build/$1/flags,$($1_CC) $($1_CFLAGS))
build/$1/obj/%.o: %.c build/$1/flags
	@mkdir -p $$(@D)
	@echo "  CC  $1  $$<"
	@$$($1_CC) $$($1_CFLAGS) $$(if $$(filter musl,$1),$$(if $$(filter $$(FAST),$$<),-O2)) \
		$$(if $$(filter tests/%,$$<),$$(TEST_WARNINGS) -Itests/unit) \
		$$(if $$(filter $$(WITH_BUILD_ID),$$<),-DSANDLOCK_BUILD_ID=\"$$(BUILD_ID)\") \
		-MMD -MP -c -o $$@ $$<
$(call objects,$1,$(WITH_BUILD_ID)): build/gen/commit
endef
$(foreach v,$(VARIANTS),$(eval $(call VARIANT,$v)))

$(call stamp,build/gen/commit,$(BUILD_ID) $(SOURCE_DATE_EPOCH))
$(call stamp,build/gen/sources,$(CORE) $(PROGRAM) $(PRELOAD) $(PRELOAD_CORE) $(SHARED))
$(call stamp,build/gen/policies,$(POLICIES))

# Comments become empty lines: the files that are installed explain themselves, and line numbers stay the same.
build/gen/policies.c: $(POLICIES) build/gen/policies Makefile
	@mkdir -p $(@D)
	@echo "  GEN $@"
	@{ echo '/* Made by the Makefile from policies/. Do not edit. */'; \
	echo '#include "policy/builtin.h"'; \
	echo 'const struct builtin_policy builtin_policies[] = {'; \
	for file in $(POLICIES); do \
		name=$$(basename "$$file" .yaml); \
		plain=$$(sed -e 's/^[ ]*#.*$$//' "$$file"); \
		text=$$(printf '%s\n' "$$plain" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/\t"/' -e 's/$$/\\n"/'); \
		printf '{ "%s",\n%s,\n\t%s },\n' "$$name" "$$text" "$$(printf '%s\n' "$$plain" | wc -c)"; \
	done; \
	echo '};'; \
	echo 'const size_t builtin_policy_count = $(words $(POLICIES));'; } >$@

# ---------------------------------------------------------------- libraries, by variant

# Compiled from their sources by the rules below: their configure scripts only find out what is
# true of every Linux machine, and take longer than the compiler.
LIBRARIES := seccomp yaml xxhash bearssl

seccomp_DIR     := build/deps/libseccomp
seccomp_SOURCES := $(filter-out %/arch-syscall-dump.c,$(sort $(wildcard build/deps/libseccomp/src/*.c)))
seccomp_HEADERS := seccomp.h seccomp-syscalls.h
# What configure finds in linux/seccomp.h of 4.14 and later; system.h explains the others.
seccomp_FLAGS   := -DHAVE_LINUX_SECCOMP_H -Ibuild/deps/libseccomp/include -Ibuild/gen -fvisibility=hidden

yaml_VERSION    := $(subst ., ,$(shell cat build/deps/libyaml/.version 2>/dev/null))
yaml_DIR        := build/deps/libyaml
yaml_SOURCES    := $(sort $(wildcard build/deps/libyaml/src/*.c))
yaml_HEADERS    := yaml.h
yaml_FLAGS      := -Ibuild/deps/libyaml/include \
		   -DYAML_VERSION_MAJOR=$(word 1,$(yaml_VERSION)) \
		   -DYAML_VERSION_MINOR=$(word 2,$(yaml_VERSION)) \
		   -DYAML_VERSION_PATCH=$(word 3,$(yaml_VERSION)) \
		   -DYAML_VERSION_STRING=\"$(subst $() ,.,$(yaml_VERSION))\"

xxhash_DIR      := build/deps/xxhash
xxhash_SOURCES  := $(wildcard build/deps/xxhash/xxhash.c)
xxhash_HEADERS  := xxhash.h
xxhash_FLAGS    := -O2

bearssl_DIR     := build/deps/bearssl
bearssl_SOURCES := $(sort $(wildcard build/deps/bearssl/src/*.c build/deps/bearssl/src/*/*.c))
bearssl_HEADERS := $(notdir $(wildcard build/deps/bearssl/inc/*.h))
bearssl_FLAGS   := -O2 -Ibuild/deps/bearssl/inc -Ibuild/deps/bearssl/src

libraries = $(foreach l,$(LIBRARIES),build/$1/lib/lib$l.a)

# $1 variant, $2 library
define LIBRARY
$(call stamp,build/$1/dep/$2.flags,$($1_CC) $($1_THEIRS) $($2_FLAGS) $($2_SOURCES))
build/$1/dep/$2/%.o: $($2_DIR)/%.c build/$1/dep/$2.flags build/gen/configure.h | build/$1/include/.ready
	@mkdir -p $$(@D)
	@$$($1_CC) $$($1_THEIRS) $$($2_FLAGS) -MMD -MP -c -o $$@ $$<
build/$1/lib/lib$2.a: $(patsubst $($2_DIR)/%.c,build/$1/dep/$2/%.o,$($2_SOURCES))
	@mkdir -p $$(@D)
	@echo "  LIB $1  $2"
	@rm -f $$@
	@$(AR) rcsD $$@ $$^
endef
$(foreach v,musl host,$(foreach l,$(LIBRARIES),$(eval $(call LIBRARY,$v,$l))))

# libseccomp asks for a configure.h; everything it would say stands in seccomp_FLAGS.
build/gen/configure.h:
	@mkdir -p $(@D)
	@echo '/* Empty: see seccomp_FLAGS in the Makefile. */' >$@

library_headers = $(wildcard $(foreach l,$(LIBRARIES),$(foreach h,$($l_HEADERS),\
	$($l_DIR)/$h $($l_DIR)/include/$h $($l_DIR)/inc/$h)))

define INSTALL_HEADERS
	@mkdir -p $(@D)
	@test -n '$(library_headers)' || { echo 'build/deps is empty: run ./build.sh, which fetches the libraries' >&2; exit 1; }
	@cp $(library_headers) $(@D)/
endef

build/host/include/.ready: $(library_headers)
	$(INSTALL_HEADERS)
	@touch $@

# musl has no kernel headers; the machine's own are right for it too.
KERNEL_ASM := $(firstword $(wildcard /usr/include/$(MACHINE)/asm /usr/include/asm))
build/musl/include/.ready: $(library_headers)
	$(INSTALL_HEADERS)
	@ln -sfn /usr/include/linux $(@D)/linux
	@ln -sfn /usr/include/asm-generic $(@D)/asm-generic
	@ln -sfn $(KERNEL_ASM) $(@D)/asm
	@touch $@

OUR_SOURCES := $(CORE) $(PROGRAM) $(GENERATED)
$(call objects,musl,$(OUR_SOURCES)): | build/musl/include/.ready
$(foreach v,host sanitize fuzz analyze,$(call objects,$v,$(OUR_SOURCES) $(UNIT) $(SHARED) $(FUZZ))): \
	| build/host/include/.ready

# ---------------------------------------------------------------- the program

.PHONY: all
all: $(if $(PROGRAM),build/sandlock) $(if $(PRELOAD),build/libsandlock_confine.so)
	@:

PROGRAM_OBJECTS := $(call objects,musl,$(OUR_SOURCES))

# musl-gcc cannot link static-pie, so the start files are named here: rcrt1.o relocates the
# program itself, which is why it needs no interpreter.
build/musl/sandlock: $(PROGRAM_OBJECTS) $(call libraries,musl) build/gen/sources
	@echo "  LD  $@"
	@$(CC) -static-pie $(SMALL) -flto=auto -nostdlib -nostartfiles $(LINK_HARDEN) -Wl,--gc-sections -o $@ \
		$(MUSL_LIB)/rcrt1.o $(MUSL_LIB)/crti.o $$($(CC) -print-file-name=crtbeginS.o) \
		$(PROGRAM_OBJECTS) $(call libraries,musl) \
		-Wl,--start-group $(MUSL_LIB)/libc.a -lgcc -Wl,--end-group \
		$$($(CC) -print-file-name=crtendS.o) $(MUSL_LIB)/crtn.o

build/sandlock: build/musl/sandlock Makefile
	@strip -o $@.new $<
	@$(call check,$@.new,Type: *DYN,          file header,   -h,  yes)
	@$(call check,$@.new,INTERP,              interpreter,   -l,  no)
	@$(call check,$@.new,(NEEDED),            needed library,-d,  no)
	@$(call check,$@.new,GNU_STACK .* RW ,    plain stack,   -l,  yes)
	@$(call check,$@.new,GNU_RELRO,           RELRO,         -l,  yes)
	@$(call check,$@.new,FLAGS.*NOW,          immediate binding, -d, yes)
	@$(call check_size,$@.new,$(PROGRAM_SIZE_LIMIT))
	@mv $@.new $@
	@echo "  OK  $@: static-pie, no interpreter, RELRO, $$(stat -c %s $@) bytes"

# $1 file, $2 pattern, $3 what it is called, $4 readelf option, $5 must it be there (yes, no)
check = found=no; ! readelf -W $(strip $4) $1 | grep -q '$2' || found=yes; \
	test $$found = $(strip $5) || { echo "$1: $(strip $3): expected $(strip $5), found $$found" >&2; exit 1; }
check_size = test $$(stat -c %s $1) -le $2 || \
	{ echo "$1: $$(stat -c %s $1) bytes, more than the limit of $2 in the Makefile" >&2; exit 1; }

# ---------------------------------------------------------------- the preload library

PRELOAD_OBJECTS := $(call objects,preload,$(PRELOAD) $(PRELOAD_CORE))
$(PRELOAD_OBJECTS): | build/host/include/.ready

# It enters other people's programs, whatever their C library: it may need nothing and ask for
# nothing, and it stays mapped (nodelete) because the confinement cannot be taken back.
build/preload/libsandlock_confine.so: $(PRELOAD_OBJECTS) build/gen/sources
	@echo "  LD  $@"
	@$(CC) -shared -nostdlib -nostartfiles $(LINK_HARDEN) -Wl,-z,nodelete,-z,defs \
		-Wl,--hash-style=both -Wl,--gc-sections -Wl,-soname,libsandlock_confine.so -o $@ \
		$(PRELOAD_OBJECTS) -lgcc

build/libsandlock_confine.so: build/preload/libsandlock_confine.so Makefile
	@strip --strip-unneeded -o $@.new $<
	@$(call check,$@.new,(NEEDED),            needed library,-d,  no)
	@$(call check,$@.new,(TEXTREL),           text relocation,-d, no)
	@$(call check,$@.new,GNU_STACK .* RW ,    plain stack,   -l,  yes)
	@$(call check,$@.new,FLAGS.*NOW,          immediate binding, -d, yes)
	@$(call check,$@.new, GLOBAL .* UND ,     undefined symbol, --dyn-syms, no)
	@$(call check_size,$@.new,$(PRELOAD_SIZE_LIMIT))
	@mv $@.new $@
	@echo "  OK  $@: needs nothing, $$(stat -c %s $@) bytes"

# ---------------------------------------------------------------- unit tests

# $1 variant, $2 where the programs go, $3 link flags
define UNIT_TESTS
build/$1/libcore.a: $(call objects,$1,$(CORE) $(GENERATED)) build/gen/sources
	@rm -f $$@
	@$(AR) rcsD $$@ $$(filter %.o,$$^)
$2/%: build/$1/obj/tests/unit/%.o $(call objects,$1,$(SHARED)) build/$1/libcore.a $(call libraries,host)
	@mkdir -p $$(@D)
	@echo "  LD  $$@"
	@$($1_CC) $3 -pthread -o $$@ $$(filter %.o,$$^) build/$1/libcore.a $(call libraries,host) -lcmocka
endef
$(eval $(call UNIT_TESTS,host,build/tests,))
$(eval $(call UNIT_TESTS,sanitize,build/sanitize/tests,$(SANITIZE)))

UNIT_PROGRAMS     := $(patsubst tests/unit/%.c,build/tests/%,$(UNIT))
SANITIZE_PROGRAMS := $(patsubst tests/unit/%.c,build/sanitize/tests/%,$(UNIT))

.PHONY: tests unit
tests: $(UNIT_PROGRAMS)
unit: $(UNIT_PROGRAMS)
	@tests/run unit build/tests

# ---------------------------------------------------------------- sanitizers, fuzzers, analyzer

SANITIZE_OBJECTS := $(call objects,sanitize,$(OUR_SOURCES))
build/sanitize/sandlock: $(SANITIZE_OBJECTS) tests/sanitize/options.c $(call libraries,host) build/gen/sources
	@echo "  LD  $@"
	@$(CC) $(SANITIZE) -pthread -o $@ $(SANITIZE_OBJECTS) tests/sanitize/options.c $(call libraries,host)

build/fuzz/libcore.a: $(call objects,fuzz,$(CORE) $(GENERATED)) build/gen/sources
	@rm -f $@
	@$(AR) rcsD $@ $(filter %.o,$^)
build/fuzz/bin/%: build/fuzz/obj/tests/fuzz/%.o build/fuzz/libcore.a $(call libraries,host)
	@mkdir -p $(@D)
	@echo "  LD  $@"
	@$(CLANG) -fsanitize=fuzzer,address,undefined -pthread -o $@ $< build/fuzz/libcore.a $(call libraries,host)

.PHONY: sanitize fuzz analyze
sanitize: $(if $(PROGRAM),build/sanitize/sandlock) $(SANITIZE_PROGRAMS)
fuzz: $(patsubst tests/fuzz/%.c,build/fuzz/bin/%,$(FUZZ))
analyze: $(call objects,analyze,$(CORE) $(PROGRAM))

.SECONDARY:

# ---------------------------------------------------------------- lint

C_FILES := $(sort $(wildcard core/*.h core/*/*.[ch] static/*.[ch] preload/*.[ch] \
	tests/unit/*.[ch] tests/fuzz/*.[ch] tests/attack/*.[ch] tests/bench/*.[ch]))
LINT_FLAGS := $(LANGUAGE) $(VERSION) -DSANDLOCK_BUILD_ID=\"lint\" -Wall -Wextra -Wshadow \
	-isystem build/host/include

# A stamp for each file, so that only what changed is read again and all CPUs take part.
build/lint/%.tidy: %.c .clang-tidy Makefile $(filter %.h,$(C_FILES)) | build/host/include/.ready
	@mkdir -p $(@D)
	@echo "  TIDY $<"
	@clang-tidy --quiet --warnings-as-errors='*' $< -- $(LINT_FLAGS) 2>$@.err >$@.out || \
		{ cat $@.out; grep -v 'warnings\? generated\|^Suppressed\|^Use -header-filter' $@.err; exit 1; }
	@touch $@

.PHONY: lint lint-format lint-cppcheck lint-tidy format
format:
	@clang-format -i $(C_FILES)
lint: lint-format lint-cppcheck lint-tidy analyze
lint-format:
	@test -z '$(C_FILES)' || clang-format --dry-run -Werror $(C_FILES)
# It reads no system headers, so an #error for want of one means nothing; in C a NULL in an argument
# list is a pointer; and its parser does not know __typeof__.
lint-cppcheck:
	@test -z '$(CORE)' || cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr \
		--enable=warning,portability --suppress=missingIncludeSystem \
		--suppress=preprocessorErrorDirective --suppress=varFuncNullUB --suppress=internalAstError \
		-D_GNU_SOURCE -D__$(firstword $(subst -, ,$(MACHINE)))__=1 -D__GNUC__=12 -Icore \
		$(CORE) $(PROGRAM) $(PRELOAD)
lint-tidy: $(patsubst %.c,build/lint/%.tidy,$(CORE) $(PROGRAM))

# ---------------------------------------------------------------- man pages, completions, install

MAN         := $(patsubst docs/%.scd,build/man/%,$(PAGES))
COMPLETIONS := build/completions/bash build/completions/zsh build/completions/fish

.PHONY: man completions
man: $(MAN)
completions: $(COMPLETIONS)

# The page carries the commit's date.
build/man/%: docs/%.scd build/gen/commit build/sandlock
	@mkdir -p $(@D)
	@build/sandlock man --scd <$< | scdoc >$@
build/completions/%: build/sandlock
	@mkdir -p $(@D)
	@build/sandlock completion $* >$@

# $1 the tree to install into
define INSTALL
	@install -D -m 755 build/sandlock $1/bin/sandlock
	@$(if $(PRELOAD),install -D -m 644 build/libsandlock_confine.so $1/lib/libsandlock_confine.so)
	@$(if $(POLICIES),install -D -m 644 -t $1/share/sandlock/policies $(POLICIES))
	@$(foreach page,$(MAN),install -D -m 644 -t $1/share/man/man$(patsubst .%,%,$(suffix $(page))) $(page);)
	@install -D -m 644 build/completions/bash $1/share/bash-completion/completions/sandlock
	@install -D -m 644 build/completions/zsh $1/share/zsh/site-functions/_sandlock
	@install -D -m 644 build/completions/fish $1/share/fish/vendor_completions.d/sandlock.fish
endef

.PHONY: install
install: all $(MAN) $(COMPLETIONS)
	$(call INSTALL,$(DESTDIR)$(PREFIX))

# ---------------------------------------------------------------- dist

RELEASE := sandlock-$(SANDLOCK_VERSION)-$(firstword $(subst -, ,$(MACHINE)))-linux

# Names sorted, owners and dates fixed, no time in the gzip header: the bytes depend on the
# commit and the tools alone.
.PHONY: dist
dist: all $(MAN) $(COMPLETIONS)
	@rm -rf build/dist/$(RELEASE)
	$(call INSTALL,build/dist/$(RELEASE))
	@install -m 644 LICENSE CHANGELOG.md $(wildcard README.md) build/dist/$(RELEASE)
	@cd build/dist/$(RELEASE) && find . -type f -printf '%P\n' | sort | xargs sha256sum >../SHA256SUMS
	@mv build/dist/SHA256SUMS build/dist/$(RELEASE)/
	@cd build/dist && tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$(SOURCE_DATE_EPOCH) \
		--mode=u+rw,go=rX,a-s --format=gnu -cf - $(RELEASE) | gzip -9n >$(RELEASE).tar.gz
	@cd build/dist && sha256sum $(RELEASE).tar.gz | tee $(RELEASE).tar.gz.sha256

-include $(shell find build/*/obj build/*/dep -type f -name '*.d' 2>/dev/null)
