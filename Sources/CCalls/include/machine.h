/* What the running kernel offers, asked of the kernel and not of its version number. */
#ifndef SYMBOLON_CCALLS_MACHINE_H
#define SYMBOLON_CCALLS_MACHINE_H

/* The revision of Landlock; 0 when there is none, or it is switched off. */
int symbolon_machine_landlock(void);
/* 1 when system calls can be filtered (seccomp with BPF). */
int symbolon_machine_seccomp(void);
/* 1 when processes have descriptors (pidfd_open). */
int symbolon_machine_pidfd(void);
/* 1 when memory can be shared without a file (memfd_create). */
int symbolon_machine_memfd(void);
#endif
