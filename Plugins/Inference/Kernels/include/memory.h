/* What the C library keeps of memory that was freed. */
#ifndef SYMBOLON_MEMORY_H
#define SYMBOLON_MEMORY_H

/* Gives back to the system what was freed and kept for later, of all threads. Costs about a millisecond: for after the
 * loading of a model, which needs much for a short time, and by whichever thread asked for it. */
void symbolon_trim_memory(void);

#endif
