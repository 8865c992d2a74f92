# clutch: `make help` lists the targets. Variables: CC, CFLAGS, B (build folder), SANITIZE, PREFIX, DESTDIR.

CC      ?= cc
B       ?= build
PREFIX  ?= /usr/local
CFLAGS  ?= -O2 -g
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

PACKAGES := OpenCL clblast libpng cairo zlib jansson
WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
            -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef
# recursive on purpose: `make setup` and `make help` must work before the packages are there
PKG_CFLAGS = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PACKAGES)))
PKG_LIBS   = $(shell pkg-config --libs $(PACKAGES))

ALL_CFLAGS = -std=c11 -D_POSIX_C_SOURCE=200809L -DCL_TARGET_OPENCL_VERSION=120 -Iinclude -I$(B) $(PKG_CFLAGS) \
             $(WARN) $(CFLAGS) \
             $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=undefined) \
             $(if $(WERROR),-Werror)
ALL_LIBS   = $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS) $(PKG_LIBS) -lpthread -lm

SOURCES := $(sort $(wildcard src/*/*.c))
KERNELS := $(sort $(wildcard cl/*.cl))
OBJECTS := $(SOURCES:src/%.c=$(B)/obj/%.o) $(B)/obj/kernels.o
LIBRARY := $(B)/libclutch.a
PROGRAM := $(B)/clutch

# tests/KIND/NAME.c is one program, build/tests/KIND-NAME; tests/support and tests/ref are linked to each
TEST_SOURCES := $(sort $(wildcard $(foreach k,unit kernel grad golden fault,tests/$(k)/*.c)))
TEST_PARTS   := $(sort $(wildcard tests/support/*.c tests/ref/*.c))
TEST_OBJECTS := $(TEST_PARTS:%.c=$(B)/obj/%.o)
TESTS        := $(foreach t,$(TEST_SOURCES),$(B)/tests/$(subst /,-,$(t:tests/%.c=%)))

# those in which several threads run
THREAD_TESTS := $(filter $(B)/tests/unit-team% $(B)/tests/unit-sg% $(B)/tests/unit-mailbox,$(TESTS))

# short lines, or with V=1 the whole commands
say = @$(if $(V),,echo '  $(1)  $(2)';)
Q   = $(if $(V),,@)

.PHONY: all help setup demo test check check-threads kernel-check install uninstall clean tests
.DELETE_ON_ERROR:

all: $(PROGRAM)

help:
	@echo "make setup     install what is missing (Debian packages), as root or through sudo"
	@echo "make           build the program: build/clutch"
	@echo "make demo      train on Fashion-MNIST, show results and pictures"
	@echo "make test      all tests; the last line says how many passed and failed"
	@echo "make check     the fast tests alone"
	@echo "make check-threads SANITIZE=thread B=build/tsan    those with threads, watched for races"
	@echo "make install   into PREFIX ($(PREFIX)), below DESTDIR: program, nets, manual page, completions"
	@echo "make uninstall removes them"
	@echo "make clean     remove build/"
	@echo "Variables: CC, CFLAGS, SANITIZE=address,undefined, WERROR=1, B=build, V=1 (whole commands)"

setup:
	@sh tests/setup.sh

$(PROGRAM): $(B)/obj/main.o $(LIBRARY)
	$(call say,LD,$@)
	$(Q)$(CC) -o $@ $^ $(ALL_LIBS)

$(LIBRARY): $(OBJECTS)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)ar rcs $@ $^

$(B)/obj/main.o: src/main.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/obj/%.o: src/%.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/obj/tests/%.o: tests/%.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -MMD -MP -c -o $@ $<

# the kernels as bytes: one array a file and a table of them (struct ocl_source in src/ocl/source.h)
$(B)/kernels.c: $(KERNELS) src/ocl/embed.sh
	@mkdir -p $(@D)
	$(call say,EMBED,$@)
	$(Q)sh src/ocl/embed.sh $(KERNELS) > $@

$(B)/obj/kernels.o: $(B)/kernels.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Isrc/ocl -c -o $@ $<

# the version is compiled into one file only, so that a commit does not rebuild the world
$(B)/version.h: FORCE
	@mkdir -p $(@D)
	@echo '#define CLUTCH_VERSION "$(VERSION)"' > $@.new
	@cmp -s $@ $@.new && rm $@.new || mv $@.new $@

# other flags or another compiler rebuild everything
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CFLAGS) $(SANITIZE) $(WERROR)' > $@.new
	@cmp -s $@ $@.new && rm $@.new || mv $@.new $@

$(B)/obj/cmd/version.o: $(B)/version.h

define TEST_RULE
$(B)/tests/$(subst /,-,$(1:tests/%.c=%)): $(B)/obj/$(1:.c=.o) $(TEST_OBJECTS) $(LIBRARY)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(CC) -o $$@ $$^ $$(ALL_LIBS) -lcmocka
endef
$(foreach t,$(TEST_SOURCES),$(eval $(call TEST_RULE,$(t))))

tests: $(PROGRAM) $(TESTS)

test: tests
	@B=$(B) sh tests/run.sh all

check: tests
	@B=$(B) sh tests/run.sh fast

check-threads: $(THREAD_TESTS)
	@B=$(B) sh tests/run.sh threads

demo: $(PROGRAM)
	@B=$(B) sh assets/demo.sh

# where things go; uninstall removes exactly what install put, and folders of our own that it leaves empty
BINDIR  := $(DESTDIR)$(PREFIX)/bin
SHARE   := $(DESTDIR)$(PREFIX)/share
NETS    := $(SHARE)/clutch/nets
BASH    := $(SHARE)/bash-completion/completions/clutch
ZSH     := $(SHARE)/zsh/site-functions/_clutch
FISH    := $(SHARE)/fish/vendor_completions.d/clutch.fish
MAN     := $(SHARE)/man/man1/clutch.1

install: $(PROGRAM)
	install -d $(BINDIR) $(NETS) $(dir $(BASH) $(ZSH) $(FISH) $(MAN))
	install -m 755 $(PROGRAM) $(BINDIR)/clutch
	install -m 644 assets/nets/*.net $(NETS)
	$(PROGRAM) help --man > $(B)/clutch.1 && install -m 644 $(B)/clutch.1 $(MAN)
	$(PROGRAM) help --completion bash > $(B)/clutch.bash && install -m 644 $(B)/clutch.bash $(BASH)
	$(PROGRAM) help --completion zsh > $(B)/clutch.zsh && install -m 644 $(B)/clutch.zsh $(ZSH)
	$(PROGRAM) help --completion fish > $(B)/clutch.fish && install -m 644 $(B)/clutch.fish $(FISH)

uninstall:
	rm -f $(BINDIR)/clutch $(MAN) $(BASH) $(ZSH) $(FISH) $(addprefix $(NETS)/,$(notdir $(wildcard assets/nets/*.net)))
	rmdir $(NETS) $(SHARE)/clutch 2>/dev/null || true

clean:
	rm -rf $(B)

FORCE:
-include $(OBJECTS:.o=.d) $(TEST_OBJECTS:.o=.d) $(TEST_SOURCES:%.c=$(B)/obj/%.d) $(B)/obj/main.d
