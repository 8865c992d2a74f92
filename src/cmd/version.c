/* The only file that is compiled anew when the version changes. */
#include "inside.h"
#include "version.h"

const char *cmd_version(void)
{
    return CLUTCH_VERSION;
}
