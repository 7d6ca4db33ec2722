/* What is told of a data stream and of its buffers, and the parts of the standard that are not here. */
#include "producer.h"

enum { BUFFERS_MIN = 3 };

static int32_t stream_value(const struct camera *c, int32_t command, int32_t *datatype, uint64_t *value)
{
    uint64_t announced = 0;

    for (const struct buffer *b = c->announced; b != NULL; b = b->next_announced)
        announced++;
    *datatype = INFO_DATATYPE_SIZET;
    switch (command) {
    case STREAM_INFO_NUM_ANNOUNCED: *value = announced; break;
    case STREAM_INFO_NUM_QUEUED: *value = c->input.count; break;
    case STREAM_INFO_NUM_AWAIT_DELIVERY: *value = c->output.count; break;
    case STREAM_INFO_PAYLOAD_SIZE: *value = payload_size(c); break;
    case STREAM_INFO_NUM_CHUNKS_MAX: *value = 0; break;
    case STREAM_INFO_BUF_ANNOUNCE_MIN: *value = BUFFERS_MIN; break;
    case STREAM_INFO_BUF_ALIGNMENT: *value = 1; break;
    default: *datatype = INFO_DATATYPE_UINT64; break;
    }
    if (*datatype == INFO_DATATYPE_SIZET)
        return GC_ERR_SUCCESS;
    switch (command) {
    case STREAM_INFO_NUM_DELIVERED: *value = c->num_delivered; break;
    case STREAM_INFO_NUM_UNDERRUN: *value = c->num_underrun; break;
    case STREAM_INFO_NUM_STARTED: *value = c->num_started; break;
    default: *datatype = INFO_DATATYPE_BOOL8; break;
    }
    if (*datatype == INFO_DATATYPE_UINT64)
        return GC_ERR_SUCCESS;
    switch (command) {
    case STREAM_INFO_IS_GRABBING: *value = c->grabbing; break;
    case STREAM_INFO_DEFINES_PAYLOADSIZE: *value = true; break;
    default: return fail(GC_ERR_NOT_IMPLEMENTED, "STREAM_INFO %d", command);
    }
    return GC_ERR_SUCCESS;
}

GC_API DSGetInfo(void *stream, int32_t command, int32_t *type, void *out, size_t *size)
{
    LOCKED;
    struct module *module = module_at(stream, STREAM);
    uint64_t value = 0;
    int32_t datatype, code;

    if (module == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (command == STREAM_INFO_ID)
        return put_string(type, out, size, STREAM_ID);
    if (command == STREAM_INFO_TLTYPE)
        return put_string(type, out, size, TL_TYPE);
    code = stream_value(module->camera, command, &datatype, &value);
    return code == GC_ERR_SUCCESS ? put_value(type, out, size, datatype, value) : code;
}

/* These exist for every buffer. */
static bool memory_value(const struct buffer *b, int32_t command, int32_t *datatype, uint64_t *value)
{
    *datatype = INFO_DATATYPE_BOOL8;
    switch (command) {
    case BUFFER_INFO_NEW_DATA: *value = b->new_data; return true;
    case BUFFER_INFO_IS_QUEUED: *value = b->place != UNQUEUED; return true;
    case BUFFER_INFO_IS_ACQUIRING: *value = b->place == FILLING; return true;
    case BUFFER_INFO_IS_INCOMPLETE: *value = b->incomplete; return true;
    case BUFFER_INFO_IMAGEPRESENT: *value = b->new_data; return true;
    case BUFFER_INFO_DATA_LARGER_THAN_BUFFER: *value = b->larger; return true;
    case BUFFER_INFO_CONTAINS_CHUNKDATA: *value = false; return true;
    default: break;
    }
    *datatype = INFO_DATATYPE_PTR;
    switch (command) {
    case BUFFER_INFO_BASE: *value = (uintptr_t)b->base; return true;
    case BUFFER_INFO_USER_PTR: *value = (uintptr_t)b->user; return true;
    default: return false;
    }
}

static bool image_value(const struct buffer *b, uint32_t pixel_format, int32_t command,
                        int32_t *datatype, uint64_t *value)
{
    *datatype = INFO_DATATYPE_SIZET;
    switch (command) {
    case BUFFER_INFO_SIZE: *value = b->size; return true;
    case BUFFER_INFO_SIZE_FILLED:
    case BUFFER_INFO_DATA_SIZE: *value = b->filled; return true;
    case BUFFER_INFO_WIDTH: *value = b->width; return true;
    case BUFFER_INFO_HEIGHT:
    case BUFFER_INFO_DELIVERED_IMAGEHEIGHT: *value = b->height; return true;
    case BUFFER_INFO_XOFFSET: *value = b->x; return true;
    case BUFFER_INFO_YOFFSET: *value = b->y; return true;
    case BUFFER_INFO_XPADDING:
    case BUFFER_INFO_YPADDING:
    case BUFFER_INFO_IMAGEOFFSET: *value = 0; return true;
    case BUFFER_INFO_PAYLOADTYPE: *value = PAYLOAD_TYPE_IMAGE; return true;
    default: break;
    }
    *datatype = INFO_DATATYPE_UINT64;
    switch (command) {
    case BUFFER_INFO_FRAMEID: *value = b->frame_id; return true;
    case BUFFER_INFO_TIMESTAMP:
    case BUFFER_INFO_TIMESTAMP_NS: *value = b->timestamp_ns; return true;
    case BUFFER_INFO_PIXELFORMAT: *value = pixel_format; return true;
    case BUFFER_INFO_PIXELFORMAT_NAMESPACE:
        *value = PIXELFORMAT_NAMESPACE_PFNC_32BIT;
        return true;
    default: break;
    }
    *datatype = INFO_DATATYPE_INT32;
    *value = PIXELENDIANNESS_LITTLE;
    return command == BUFFER_INFO_PIXEL_ENDIANNESS;
}

static struct buffer *buffer_of(void *stream, void *handle, struct camera **camera)
{
    struct module *module = module_at(stream, STREAM);

    if (module == NULL)
        return NULL;
    *camera = module->camera;
    return buffer_at(module->camera, handle);
}

GC_API DSGetBufferInfo(void *stream, void *handle, int32_t command, int32_t *type, void *out,
                       size_t *size)
{
    LOCKED;
    struct camera *camera;
    const struct buffer *buffer = buffer_of(stream, handle, &camera);
    int32_t datatype;
    uint64_t value;

    if (buffer == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (command == BUFFER_INFO_TLTYPE)
        return put_string(type, out, size, TL_TYPE);
    if (memory_value(buffer, command, &datatype, &value) ||
        image_value(buffer, camera->scene.config.pixel_format, command, &datatype, &value))
        return put_value(type, out, size, datatype, value);
    return fail(GC_ERR_NOT_IMPLEMENTED, "BUFFER_INFO %d", command);
}

GC_API DSGetBufferChunkData(void *stream, void *handle, struct single_chunk_data *chunks, size_t *count)
{
    LOCKED;
    struct camera *camera;

    (void)chunks;
    if (buffer_of(stream, handle, &camera) == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room given");
    *count = 0;
    return fail(GC_ERR_NO_DATA, "frames have no chunks");
}

GC_API DSGetNumBufferParts(void *stream, void *handle, uint32_t *count)
{
    LOCKED;
    struct camera *camera;

    if (buffer_of(stream, handle, &camera) == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room given");
    *count = 0;
    return fail(GC_ERR_NO_DATA, "frames have no parts");
}

GC_API DSGetBufferPartInfo(void *stream, void *handle, uint32_t index, int32_t command, int32_t *type,
                           void *out, size_t *size)
{
    LOCKED;
    struct camera *camera;

    (void)command, (void)type, (void)out, (void)size;
    if (buffer_of(stream, handle, &camera) == NULL)
        return GC_ERR_INVALID_HANDLE;
    return fail(GC_ERR_INVALID_INDEX, "part %u: frames have no parts", index);
}

/* GenTL 1.6: not offered, but genicam complains on stderr about a producer without the symbols. */
#define NOT_OFFERED(name)                                                                          \
    GC_API name(void)                                                                              \
    {                                                                                              \
        return fail(GC_ERR_NOT_IMPLEMENTED, #name " is not implemented");                          \
    }
NOT_OFFERED(DSAnnounceCompositeBuffer)
NOT_OFFERED(DSGetNumFlows)
NOT_OFFERED(DSGetFlowInfo)
NOT_OFFERED(DSGetNumBufferSegments)
NOT_OFFERED(DSGetBufferSegmentInfo)
