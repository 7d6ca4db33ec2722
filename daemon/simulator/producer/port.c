/* Ports: the module XML files, and register access to all five modules. */
#include "producer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The XML files are assembled in; the compiler runs in this folder. */
#define EMBED(name)                                                                                \
    __asm__(".pushsection .rodata\n"                                                               \
            ".balign 16\n"                                                                         \
            "xml_" #name ":\n"                                                                     \
            ".incbin \"xml/" #name ".xml\"\n"                                                      \
            "xml_" #name "_end:\n"                                                                 \
            ".byte 0\n"                                                                            \
            ".popsection\n");                                                                      \
    extern const char xml_##name[] __attribute__((visibility("hidden")));                          \
    extern const char xml_##name##_end[] __attribute__((visibility("hidden")))
EMBED(system);
EMBED(interface);
EMBED(device);
EMBED(remote);
EMBED(stream);

enum { XML_ADDRESS = 0x100000, ID_ADDRESS = 0, ID_SIZE = 128 };
enum { LOST_TIMEOUT_MS = 100 }; /* a transport retries before it gives a device up */

static const struct {
    const char *module, *port, *begin, *end;
} descriptions[] = {
    [SYSTEM] = {"TLSystem", "TLPort", xml_system, xml_system_end},
    [INTERFACE] = {"TLInterface", "InterfacePort", xml_interface, xml_interface_end},
    [DEVICE] = {"TLDevice", "DevicePort", xml_device, xml_device_end},
    [REMOTE] = {"Device", "Device", xml_remote, xml_remote_end},
    [STREAM] = {"TLDataStream", "StreamPort", xml_stream, xml_stream_end},
};

static const char *module_id(const struct module *module)
{
    switch (module->kind) {
    case SYSTEM: return VENDOR;
    case INTERFACE: return INTERFACE_ID;
    case STREAM: return STREAM_ID;
    default: return module->camera->id;
    }
}

static struct module *port_at(void *handle)
{
    struct module *module = module_at(handle, MODULE_KINDS);

    if (module != NULL && module->kind == EVENT) {
        fail(GC_ERR_INVALID_HANDLE, "an event is no port");
        return NULL;
    }
    return module;
}

static size_t xml_size(const struct module *module)
{
    return (size_t)(descriptions[module->kind].end - descriptions[module->kind].begin);
}

/* Called with the mutex held; lets go of it while the lost device does not answer. */
static int32_t check_answer(const struct module *module)
{
    if (module->kind != REMOTE || !(camera_lost(module->camera) || camera_away(module->camera)))
        return GC_ERR_SUCCESS;
    pthread_mutex_unlock(&producer_mutex);
    usleep(LOST_TIMEOUT_MS * 1000);
    pthread_mutex_lock(&producer_mutex);
    return fail(GC_ERR_IO, "the device does not answer");
}

static int32_t read_port(struct module *module, uint64_t address, void *data, size_t size)
{
    uint64_t offset = address - XML_ADDRESS;
    int32_t code = check_answer(module);

    if (code != GC_ERR_SUCCESS)
        return code;
    if (address >= XML_ADDRESS) {
        if (offset > xml_size(module) || size > xml_size(module) - offset)
            return fail(GC_ERR_INVALID_ADDRESS, "beyond the end of the XML");
        memcpy(data, descriptions[module->kind].begin + offset, size);
        return GC_ERR_SUCCESS;
    }
    if (module->kind == REMOTE)
        return registers_read(module->camera, address, data, size);
    if (address != ID_ADDRESS || size > ID_SIZE)
        return fail(GC_ERR_INVALID_ADDRESS, "no register at 0x%llx", (unsigned long long)address);
    memset(data, 0, size);
    snprintf(data, size, "%s", module_id(module));
    return GC_ERR_SUCCESS;
}

static int32_t write_port(struct module *module, uint64_t address, const void *data, size_t size)
{
    int32_t code = check_answer(module);

    if (code != GC_ERR_SUCCESS)
        return code;
    if (module->kind != REMOTE)
        return fail(GC_ERR_ACCESS_DENIED, "this module's registers are read only");
    return registers_write(module->camera, address, data, size);
}

GC_API GCReadPort(void *port, uint64_t address, void *data, size_t *size)
{
    LOCKED;
    struct module *module = port_at(port);

    if (module == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (data == NULL || size == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room given");
    return read_port(module, address, data, *size);
}

GC_API GCWritePort(void *port, uint64_t address, const void *data, size_t *size)
{
    LOCKED;
    struct module *module = port_at(port);

    if (module == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (data == NULL || size == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no data given");
    return write_port(module, address, data, *size);
}

typedef int32_t entry_access(struct module *, const struct port_register_stack_entry *);

static int32_t read_entry(struct module *module, const struct port_register_stack_entry *entry)
{
    return read_port(module, entry->address, entry->data, entry->size);
}

static int32_t write_entry(struct module *module, const struct port_register_stack_entry *entry)
{
    return write_port(module, entry->address, entry->data, entry->size);
}

/* Stops at the first error and says how many entries went well. */
static int32_t each_entry(void *port, struct port_register_stack_entry *entries, size_t *count,
                          entry_access *access)
{
    LOCKED;
    struct module *module = port_at(port);
    int32_t code = GC_ERR_SUCCESS;
    size_t done = 0;

    if (module == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (entries == NULL || count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no entries given");
    while (done < *count && code == GC_ERR_SUCCESS) {
        code = entries[done].data ? access(module, &entries[done])
                                  : fail(GC_ERR_INVALID_PARAMETER, "entry %zu has no data", done);
        done += code == GC_ERR_SUCCESS;
    }
    *count = done;
    return code;
}

GC_API GCReadPortStacked(void *port, struct port_register_stack_entry *entries, size_t *count)
{
    return each_entry(port, entries, count, read_entry);
}

GC_API GCWritePortStacked(void *port, struct port_register_stack_entry *entries, size_t *count)
{
    return each_entry(port, entries, count, write_entry);
}

GC_API GCGetPortInfo(void *port, int32_t command, int32_t *type, void *out, size_t *size)
{
    LOCKED;
    struct module *module = port_at(port);

    if (module == NULL)
        return GC_ERR_INVALID_HANDLE;
    switch (command) {
    case PORT_INFO_ID: return put_string(type, out, size, module_id(module));
    case PORT_INFO_VENDOR: return put_string(type, out, size, VENDOR);
    case PORT_INFO_MODEL: return put_string(type, out, size, MODEL);
    case PORT_INFO_TLTYPE: return put_string(type, out, size, TL_TYPE);
    case PORT_INFO_MODULE: return put_string(type, out, size, descriptions[module->kind].module);
    case PORT_INFO_VERSION: return put_string(type, out, size, VERSION);
    case PORT_INFO_PORTNAME: return put_string(type, out, size, descriptions[module->kind].port);
    case PORT_INFO_LITTLE_ENDIAN:
    case PORT_INFO_ACCESS_READ: return put_value(type, out, size, INFO_DATATYPE_BOOL8, true);
    case PORT_INFO_ACCESS_WRITE:
        return put_value(type, out, size, INFO_DATATYPE_BOOL8, module->kind == REMOTE);
    case PORT_INFO_BIG_ENDIAN:
    case PORT_INFO_ACCESS_NA:
    case PORT_INFO_ACCESS_NI: return put_value(type, out, size, INFO_DATATYPE_BOOL8, false);
    default: return fail(GC_ERR_NOT_IMPLEMENTED, "PORT_INFO %d", command);
    }
}

GC_API GCGetNumPortURLs(void *port, uint32_t *count)
{
    LOCKED;
    if (port_at(port) == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room given");
    *count = 1;
    return GC_ERR_SUCCESS;
}

GC_API GCGetPortURLInfo(void *port, uint32_t index, int32_t command, int32_t *type, void *out,
                        size_t *size)
{
    LOCKED;
    struct module *module = port_at(port);
    char name[64], url[128];

    if (module == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (index != 0)
        return fail(GC_ERR_INVALID_INDEX, "URL %u of 1", index);
    snprintf(name, sizeof name, "effad_%s.xml", descriptions[module->kind].module);
    snprintf(url, sizeof url, "Local:%s;%X;%zX", name, XML_ADDRESS, xml_size(module));
    switch (command) {
    case URL_INFO_URL: return put_string(type, out, size, url);
    case URL_INFO_FILENAME: return put_string(type, out, size, name);
    case URL_INFO_FILE_REGISTER_ADDRESS:
        return put_value(type, out, size, INFO_DATATYPE_UINT64, XML_ADDRESS);
    case URL_INFO_FILE_SIZE:
        return put_value(type, out, size, INFO_DATATYPE_UINT64, xml_size(module));
    case URL_INFO_SCHEME: return put_value(type, out, size, INFO_DATATYPE_INT32, URL_SCHEME_LOCAL);
    case URL_INFO_SCHEMA_VER_MAJOR:
    case URL_INFO_SCHEMA_VER_MINOR:
    case URL_INFO_FILE_VER_MAJOR: return put_value(type, out, size, INFO_DATATYPE_INT32, 1);
    case URL_INFO_FILE_VER_MINOR:
    case URL_INFO_FILE_VER_SUBMINOR: return put_value(type, out, size, INFO_DATATYPE_INT32, 0);
    default: return fail(GC_ERR_NOT_IMPLEMENTED, "URL_INFO %d", command);
    }
}

GC_API GCGetPortURL(void *port, char *url, size_t *size)
{
    return GCGetPortURLInfo(port, 0, URL_INFO_URL, NULL, url, size);
}
