/* For those that may have ended the last behavior: is there anybody to tell? See quiesce.c. */
#ifndef BOC_QUIESCE_H
#define BOC_QUIESCE_H

void boc__quiesce_look(void); /* somebody waits and nothing is pending: wake it */

#endif
