# What is generated at build time, into ${GEN}: the schema's tables, ids and texts from host/schema, and the Lua sources as bytecode.
set(LN_SCHEMA ${CMAKE_SOURCE_DIR}/host/schema)
add_custom_command(
  OUTPUT ${GEN}/tl_tables.c ${GEN}/tl_ids.h ${GEN}/tl_texts.c
  COMMAND ${LUA_PROGRAM} ${CMAKE_SOURCE_DIR}/host/gen/tl.lua ${LN_SCHEMA} ${GEN}
  DEPENDS ${CMAKE_SOURCE_DIR}/host/gen/tl.lua ${LN_SCHEMA}/api.tl ${LN_SCHEMA}/mtproto.tl ${LN_SCHEMA}/compat.tl
    ${LN_SCHEMA}/errors.tsv ${LN_SCHEMA}/keys.pem ${LN_SCHEMA}/keys-test.pem
  COMMENT "TL tables" VERBATIM)
add_custom_target(ln_gen_tl DEPENDS ${GEN}/tl_ids.h)
set(LN_TL_GENERATED ${GEN}/tl_tables.c ${GEN}/tl_texts.c)

file(GLOB_RECURSE LN_LUA_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/lua/luna/*.lua)
if(LN_EMBED)
  set(LN_LUA_MODE embed)
else()
  set(LN_LUA_MODE disk)
endif()
add_custom_command(
  OUTPUT ${GEN}/lua_embedded.c
  COMMAND ${LUA_PROGRAM} ${CMAKE_SOURCE_DIR}/host/gen/embed.lua ${CMAKE_SOURCE_DIR} ${GEN}/lua_embedded.c ${LN_LUA_MODE}
    ${LN_LUA_SOURCES}
  DEPENDS ${CMAKE_SOURCE_DIR}/host/gen/embed.lua ${LN_LUA_SOURCES}
  COMMENT "Lua sources" VERBATIM)
set(LN_LUA_GENERATED ${GEN}/lua_embedded.c)
