/*
 * An interpreter for the filters that filter.c writes: says what the kernel would answer. It trusts nothing, because it also
 * judges programs that come from a cache file: an instruction the kernel's verifier or filter.c would not know is *bad, and *bad means kill.
 */
#include "plan/plan.h"

#include <linux/seccomp.h>
#include <string.h>

static bool load(const struct seccomp_data *data, uint32_t offset, uint32_t *out)
{
	if (offset % 4 || offset > sizeof *data - 4)
		return false;
	memcpy(out, (const char *)data + offset, sizeof *out);
	return true;
}

static bool taken(const struct sock_filter *insn, uint32_t a, bool *yes)
{
	switch (BPF_OP(insn->code)) {
	case BPF_JEQ:
		*yes = a == insn->k;
		return true;
	case BPF_JGT:
		*yes = a > insn->k;
		return true;
	case BPF_JGE:
		*yes = a >= insn->k;
		return true;
	case BPF_JSET:
		*yes = (a & insn->k) != 0;
		return true;
	default:
		return false;
	}
}

uint32_t bpf_run(const struct sock_filter *filter, size_t len, const struct seccomp_data *data,
		 bool *bad)
{
	uint32_t a = 0;
	size_t pc = 0;

	*bad = len == 0 || len > BPF_MAXINSNS;
	/* Every step goes forward, so the loop ends. */
	while (!*bad && pc < len) {
		const struct sock_filter *insn = &filter[pc++];
		bool yes = false;

		switch (insn->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			*bad = !load(data, insn->k, &a);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= insn->k;
			break;
		case BPF_JMP | BPF_JA:
			if (insn->k >= len - pc)
				*bad = true;
			else
				pc += insn->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
		case BPF_JMP | BPF_JGT | BPF_K:
		case BPF_JMP | BPF_JGE | BPF_K:
		case BPF_JMP | BPF_JSET | BPF_K:
			*bad = !taken(insn, a, &yes);
			pc += yes ? insn->jt : insn->jf;
			break;
		case BPF_RET | BPF_K:
			return insn->k;
		default:
			*bad = true;
			break;
		}
	}
	/* Ran off the end, or met something unknown. */
	*bad = true;
	return SECCOMP_RET_KILL_PROCESS;
}
