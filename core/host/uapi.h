/*
 * Kernel interfaces newer than the headers we are built with. Values from the kernel's uapi; the comment names the first
 * release or Landlock ABI. Numbers never change, so a single copy serves every architecture.
 */
#ifndef SANDLOCK_HOST_UAPI_H
#define SANDLOCK_HOST_UAPI_H

#include <stdint.h>

/* Landlock (Documentation/userspace-api/landlock.rst) */
#define LL_EXECUTE (1ULL << 0) /* ABI 1 */
#define LL_WRITE_FILE (1ULL << 1)
#define LL_READ_FILE (1ULL << 2)
#define LL_READ_DIR (1ULL << 3)
#define LL_REMOVE_DIR (1ULL << 4)
#define LL_REMOVE_FILE (1ULL << 5)
#define LL_MAKE_CHAR (1ULL << 6)
#define LL_MAKE_DIR (1ULL << 7)
#define LL_MAKE_REG (1ULL << 8)
#define LL_MAKE_SOCK (1ULL << 9)
#define LL_MAKE_FIFO (1ULL << 10)
#define LL_MAKE_BLOCK (1ULL << 11)
#define LL_MAKE_SYM (1ULL << 12)
#define LL_REFER (1ULL << 13)	       /* ABI 2 */
#define LL_TRUNCATE (1ULL << 14)       /* ABI 3 */
#define LL_IOCTL_DEV (1ULL << 15)      /* ABI 5 */
#define LL_RESOLVE_UNIX (1ULL << 16)   /* ABI 9 */
#define LL_NET_BIND_TCP (1ULL << 0)    /* ABI 4 */
#define LL_NET_CONNECT_TCP (1ULL << 1) /* ABI 4 */
#define LL_NET_BIND_UDP (1ULL << 2)    /* ABI 10 */
#define LL_NET_CONNECT_SEND_UDP (1ULL << 3)
#define LL_SCOPE_ABSTRACT_UNIX (1ULL << 0) /* ABI 6 */
#define LL_SCOPE_SIGNAL (1ULL << 1)
#define LL_RESTRICT_LOG_SAME_EXEC_OFF (1U << 0) /* ABI 7 */
#define LL_RESTRICT_LOG_NEW_EXEC_ON (1U << 1)
#define LL_RESTRICT_LOG_SUBDOMAINS_OFF (1U << 2)
#define LL_RESTRICT_TSYNC (1U << 3) /* ABI 8 */
/* Rights that the kernel accepts in a rule on something that is not a directory. */
#define LL_FILE_RIGHTS                                                                             \
	(LL_EXECUTE | LL_WRITE_FILE | LL_READ_FILE | LL_TRUNCATE | LL_IOCTL_DEV | LL_RESOLVE_UNIX)

struct ll_ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* ABI 4 */
	uint64_t scoped;	     /* ABI 6 */
};
struct ll_path_beneath {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));
struct ll_net_port {
	uint64_t allowed_access;
	uint64_t port; /* host byte order */
};
enum { LL_RULE_PATH_BENEATH = 1, LL_RULE_NET_PORT = 2 };
enum { LL_CREATE_VERSION = 1, LL_CREATE_ERRATA = 2 };

/* mount_setattr(2), Linux 5.12. <linux/mount.h> clashes with the C library's <sys/mount.h>. */
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
struct mount_attributes {
	uint64_t set, clear, propagation, userns_fd;
};
#define MOUNT_ATTRIBUTE_RDONLY 0x1u
#define MOUNT_ATTRIBUTE_NOEXEC 0x8u

/* seccomp */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* 5.19 */
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS 0x40082104UL /* 6.6; argument by value */
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif
#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1) /* 5.14 */
#endif

#define AUDIT_ARCH_OF_X86_64 0xC000003Eu
#define AUDIT_ARCH_OF_AARCH64 0xC00000B7u
#define AUDIT_ARCH_OF_RISCV64 0xC00000F3u
#if defined(__x86_64__)
#define AUDIT_ARCH_NATIVE AUDIT_ARCH_OF_X86_64
#elif defined(__aarch64__)
#define AUDIT_ARCH_NATIVE AUDIT_ARCH_OF_AARCH64
#else
#define AUDIT_ARCH_NATIVE AUDIT_ARCH_OF_RISCV64
#endif
#define X32_BIT 0x40000000u

#endif
