"""The contract for frontend developers: the OpenAPI document, and a page to try it that needs no internet."""
